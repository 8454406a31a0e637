// telpher::Client: the engine and the requests that name a queue.
#include "telpher/client.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "proto/base/clock.h"
#include "proto/base/random.h"
#include "proto/limits.h"
#include "proto/security/key_file.h"
#include "proto/session/convert.h"
#include "proto/session/engine.h"
#include "proto/session/queue_impl.h"
#include "proto/session/zmq_transport.h"

namespace telpher {
namespace {

constexpr const char* kServerDefault = "ipc:///run/telpher/telpher.sock";
constexpr std::uint32_t kListPage = 256;

std::string server_of(const ClientOptions& options) {
    if (!options.server.empty()) return options.server;
    const char* server = std::getenv("TELPHER_SERVER");
    return server != nullptr && *server != '\0' ? server : kServerDefault;
}

/// The keys for this endpoint: none where none are used. Throws Failure if the file is wrong.
std::optional<security::KeyFile> keys_of(const ClientOptions& options, const std::string& endpoint) {
    std::string path = options.key_file;
    if (const char* set = std::getenv("TELPHER_KEY_FILE"); path.empty() && set != nullptr) path = set;
    if (path.empty() || endpoint.starts_with("ipc://")) return std::nullopt;
    auto keys = security::read_key_file(path);
    if (!keys) throw Failure(keys.error());
    if (keys->server_public.empty()) {
        throw Failure(Error(Code::kConfig, path + " does not say the broker's public key: a section [server] is due"));
    }
    return std::move(*keys);
}

std::shared_ptr<session::Engine> make_engine(ClientOptions options) {
    session::Engine::Config config;
    config.core.endpoint = server_of(options);
    if (!session::legal_endpoint(config.core.endpoint)) {
        throw Failure(Error(Code::kUsage, "server '" + config.core.endpoint + "': tcp://host:port or ipc:///path"));
    }
    auto keys = keys_of(options, config.core.endpoint);
    config.core.client_name = options.name.empty()
                                  ? std::string(program_invocation_short_name) + "-" + std::to_string(getpid())
                                  : std::move(options.name);
    config.core.log = std::move(options.log);
    config.core.on_connection = std::move(options.on_connection);
    config.core.seed = system_entropy();
    config.connect_timeout = options.connect_timeout;
    return std::make_shared<session::Engine>(std::move(config), session::make_zmq_transports(std::move(keys)),
                                             system_clock());
}

ClientOptions at(std::string server) {
    ClientOptions options;
    options.server = std::move(server);
    return options;
}

v1::Change change(v1::Change::What what, std::string_view name) {
    v1::Change request;
    request.set_what(what);
    request.set_name(std::string(name));
    return request;
}

v1::HandleDead handle_dead(v1::HandleDead::What what, std::string_view name, std::uint64_t first, std::uint64_t count,
                           std::uint32_t messages_max) {
    v1::HandleDead request;
    request.set_what(what);
    request.set_name(std::string(name));
    request.set_first(first);
    request.set_count(count);
    request.set_max(messages_max);
    return request;
}

}  // namespace

struct Client::Impl {
    explicit Impl(ClientOptions options)
        : leave_timeout(options.leave_timeout), engine(make_engine(std::move(options))) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() {
        if (engine->forked()) return;
        const Instant deadline = engine->deadline_of(leave_timeout);
        const auto parts = engine->parts();
        for (const auto& part : parts) static_cast<void>(part->drain(deadline));
        engine->close();
        for (const auto& part : parts) static_cast<void>(part->drain(deadline));  // Callbacks of what failed just now.
    }

    template <class Reply, class Request>
    Result<Reply> call(v1::Op op, Request request, Millis timeout, Code done_before = Code::kOk) {
        session::CallOptions options;
        options.timeout = timeout;
        options.done_before = done_before;
        return engine->call<Reply>(op, std::move(request), options);
    }
    Result<void> change(v1::Change request, Millis timeout, Code done_before = Code::kOk) {
        const auto done = call<v1::Ok>(v1::OP_CHANGE, std::move(request), timeout, done_before);
        if (!done) return fail(done.error());
        return {};
    }

    Result<DeadHandled> handle_dead(v1::HandleDead request, Millis timeout) {
        const auto reply = call<v1::DeadHandled>(v1::OP_HANDLE_DEAD, std::move(request), timeout);
        if (!reply) return fail(reply.error());
        return DeadHandled{reply->messages(), reply->more(), reply->next(), reply->full()};
    }

    const Millis leave_timeout;
    const std::shared_ptr<session::Engine> engine;
};

Client::Client(ClientOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {}
Client::Client(std::string server) : Client(at(std::move(server))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<Queue> Client::open(std::string_view name, const QueueOptions& options, Millis timeout,
                           const std::stop_token& stop) {
    if (options.producer_name.size() > limits::kNameBytesMax) return fail(Code::kTooLarge, "producer_name");
    session::CallOptions call;
    call.timeout = timeout;
    call.stop = stop;
    auto link = impl_->engine->open(std::string(name), options, call);
    if (!link) return fail(link.error());
    return Queue(std::make_shared<Queue::Impl>(impl_->engine, std::move(*link), options.producer_name));
}

Queue Client::queue(std::string_view name, const QueueOptions& options) {
    auto opened = open(name, options, options.wait ? kForever : Millis{10'000});
    if (!opened) throw Failure(opened.error());
    return std::move(*opened);
}

Result<void> Client::create(std::string_view name, const QueueOptions& options, Millis timeout) {
    auto request = change(v1::Change::WHAT_CREATE, name);
    *request.mutable_options() = session::to_wire(options);
    return impl_->change(std::move(request), timeout);
}

Result<void> Client::set(std::string_view name, const QueueOptions& options, Millis timeout) {
    auto request = change(v1::Change::WHAT_SET, name);
    *request.mutable_options() = session::to_wire(options);
    return impl_->change(std::move(request), timeout);
}

Result<void> Client::remove(std::string_view name, bool force, Millis timeout) {
    auto request = change(v1::Change::WHAT_REMOVE, name);
    request.set_force(force);
    return impl_->change(std::move(request), timeout, Code::kNotFound);
}

Result<void> Client::pause(std::string_view name, bool paused, Millis timeout) {
    return impl_->change(change(paused ? v1::Change::WHAT_PAUSE : v1::Change::WHAT_RESUME, name), timeout);
}

Result<std::vector<QueueStats>> Client::list(Millis timeout) {
    std::vector<QueueStats> all;
    v1::List request;
    request.set_max(kListPage);
    for (;;) {
        const auto page = impl_->call<v1::Queues>(v1::OP_LIST, request, timeout);
        if (!page) return fail(page.error());
        for (const auto& state : page->queues()) all.push_back(session::from_wire(state));
        if (!page->more() || page->queues().empty()) return all;
        request.set_after(page->queues().rbegin()->name());
    }
}

Result<QueueStats> Client::show(std::string_view name, Millis timeout) {
    v1::Show request;
    request.set_name(std::string(name));
    const auto reply = impl_->call<v1::Queues>(v1::OP_SHOW, std::move(request), timeout);
    if (!reply) return fail(reply.error());
    if (reply->queues().size() != 1) return fail(Code::kProtocol, "SHOW was not answered with one queue");
    return session::from_wire(reply->queues(0));
}

Result<std::vector<Peeked>> Client::peek(std::string_view name, std::uint32_t messages_max, std::uint64_t from,
                                         Millis timeout, Peeked::State state) {
    return session::peek(*impl_->engine, std::string(name), messages_max, from, timeout, state);
}

Result<DeadHandled> Client::redrive(std::string_view name, std::uint64_t first, std::uint64_t count,
                                    std::uint32_t messages_max, Millis timeout) {
    return impl_->handle_dead(handle_dead(v1::HandleDead::WHAT_REDRIVE, name, first, count, messages_max), timeout);
}

Result<DeadHandled> Client::drop_dead(std::string_view name, std::uint64_t first, std::uint64_t count,
                                      std::uint32_t messages_max, Millis timeout) {
    return impl_->handle_dead(handle_dead(v1::HandleDead::WHAT_DROP, name, first, count, messages_max), timeout);
}

Result<BrokerStats> Client::status(Millis timeout) {
    const auto reply = impl_->call<v1::StatusIs>(v1::OP_STATUS, v1::Status{}, timeout);
    if (!reply) return fail(reply.error());
    return session::from_wire(*reply);
}

}  // namespace telpher
