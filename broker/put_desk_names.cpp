// PutDesk and the names of producers: who has which, taking one over, and forgetting it.
//
// Whoever opens a name gets a new id for it, so that the id says which of its openings a put belongs to: what the one
// before still has on its way is refused, whatever it does. What is stored under a name is sequences 0 up to some one,
// without holes: after a refusal nothing more of that opening is stored.
#include <algorithm>

#include "broker/put_desk.h"
#include "proto/base/check.h"

namespace telpher::broker {

namespace {

/// Nobody puts in another user's place.
bool is_of(const Session& session, const Producer& producer) {
    return producer.user.empty() || producer.user == session.user;
}

}  // namespace

/// Which producer OPEN_PRODUCER means, which may have to be made.
Result<ProducerId> PutDesk::producer_to_open(const Session& session, const HostedQueue& queue,
                                             const v1::OpenProducer& request) {
    const ProducerId id(request.producer());
    if (auto checked = check_opener(session, queue, request); !checked) return fail(checked.error());
    if (queue.producers.size() >= limits::kProducersMax && !queue.producers.contains(id)) {
        return fail(Code::kLimit, "producers of one queue");
    }
    if (id.value() != 0) return id;
    return ProducerId(boot_ << 32 | next_producer_++);
}

Result<void> PutDesk::check_opener(const Session& session, const HostedQueue& queue,
                                   const v1::OpenProducer& request) const {
    const std::string& name = request.name();
    const ProducerId id(request.producer());
    if (name.size() > limits::kNameBytesMax) return fail(Code::kTooLarge, "name of a producer");
    const auto named = queue.producer_names.find(name);
    const bool has_name = !name.empty() && named != queue.producer_names.end();
    if (id.value() == 0) {
        // Or a name would be lost with its user. Who may do everything with the queue may take it over.
        const bool admin = session.rights->on(queue.name).any_of(RightSet::kAdmin);
        if (has_name && !admin && !is_of(session, queue.producers.at(named->second)))
            return fail(Code::kDenied, "another user puts under this name");
        if (name.empty() || has_name || queue.producer_names.size() < limits::kProducerNamesMax) return {};
        return fail(Code::kLimit, "names of producers of one queue");
    }
    // Never given: it would be another's one day.
    if (id >= ProducerId(boot_ << 32 | next_producer_)) return fail(Code::kUnknownProducer);
    if (!name.empty() && !has_name) return fail(Code::kUnknownProducer, "no producer has this name any more");
    if (has_name && named->second != id) return fail(Code::kFenced);
    const auto found = queue.producers.find(id);
    if (found == queue.producers.end()) return {};
    const Producer& producer = found->second;
    if (!is_of(session, producer)) return fail(Code::kUnknownProducer);  // ids can be guessed
    if (producer.fenced) return fail(Code::kFenced);
    if (producer.name != name) return fail(Code::kUnknownProducer, "the producer of this id has a name");
    const Session* owner = core_.sessions.find(producer.session);
    if (owner != nullptr && owner->id != session.id && owner->connected) {
        return fail(Code::kBusy, "another session has this producer");
    }
    return {};
}

void PutDesk::give_name(HostedQueue& queue, Producer& producer, const std::string& name) {
    const auto [entry, is_new] = queue.producer_names.try_emplace(name, producer.id);
    Sequence first;
    if (!is_new) {
        Producer& before = queue.producers.at(entry->second);
        first = before.stored_below;
        entry->second = producer.id;
        fence(queue, before);
    }
    producer.begin_named(name, first);
}

/// Nothing of it is stored any more. It stays as long as its session may ask what became of its puts.
void PutDesk::fence(HostedQueue& queue, Producer& producer) {
    producer.name.clear();
    producer.fenced = true;
    queue.set_open(producer, false);  // the log knows: another one was opened by its name
    refuse_all(queue, producer, Code::kFenced);
    if (core_.sessions.find(producer.session) == nullptr) queue.forget(ProducerId(producer.id));
}

bool PutDesk::is_idle(const Producer& producer) const {
    const auto kept = producer.name.empty() ? std::chrono::milliseconds(limits::kProducerIdle)
                                            : std::chrono::milliseconds(limits::kNamedProducerIdle);
    return !producer.open && producer.line.empty() && producer.last_put.ms + kept.count() < core_.wall.ms;
}

void PutDesk::forget_idle(HostedQueue& queue, const Producer& producer) {
    if (!producer.name.empty()) {
        core_.journal.reserve(0);
        core_.journal.producer_over(queue.id, producer.id, log::v1::ProducerMeta::CHANGE_EXPIRED, core_.wall);
    }
    queue.forget(ProducerId(producer.id));
}

/// A put from `first` on of a producer that has a name, and of which something before `first` is not stored.
bool PutDesk::leaves_hole(const Producer& producer, Sequence first) {
    return !producer.name.empty() && (producer.broken || first != producer.window.next());
}

}  // namespace telpher::broker
