// keygen and user add|ls|show|rekey|rm: files only, no broker is asked. telpherd reads users at its start and on
// SIGHUP.
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "cli/commands.h"
#include "proto/base/units.h"
#include "proto/command/exit.h"
#include "proto/command/message_json.h"
#include "proto/command/output.h"
#include "proto/command/value_flags.h"
#include "proto/security/key_file.h"
#include "proto/security/user_file.h"

namespace telpher::cli {
namespace {

using command::Format;
using command::Globals;
using command::Json;
using command::Program;
using security::KeyFile;
using security::UserFile;

constexpr unsigned kSecretMode = S_IRUSR | S_IWUSR;
constexpr unsigned kPublicMode = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
/// While a key is replaced, the one before it still counts.
constexpr std::size_t kKeysKept = 2;

struct KeyFlags {
    std::string file = "/etc/telpher/server.key";
    std::string server;  ///< keygen: file with the public key of the broker, or the key itself.
    std::string name;
    std::string dir = "/etc/telpher/users";
    std::string server_key = "/etc/telpher/server.key";
    std::string out;         ///< Empty: NAME.key here.
    std::string public_key;  ///< user add: the user keeps the secret.
    std::vector<std::string> put, get, admin_on;
    security::Quota quota;
    bool admin = false;
    bool only = false;

    [[nodiscard]] std::filesystem::path user_file() const { return security::user_path(dir, name); }
};

int status_of(const Result<void>& done) { return done ? command::kExitOk : command::print_error(done.error()); }

void note(const Globals& globals, const std::string& text) {
    if (!globals.quiet) command::print_note(text);
}

/// The broker's public key: from the key given, a public file, or the key file itself.
Result<std::string> server_public(const std::string& given) {
    if (security::decode_key(given)) return given;
    const std::filesystem::path open(given + ".pub");
    std::error_code ignored;
    return security::read_public_key(std::filesystem::exists(open, ignored) ? open : std::filesystem::path(given));
}

// --- keygen ---

Result<void> keygen(const KeyFlags& flags, const Globals& globals) {
    KeyFile keys;
    if (!flags.server.empty()) {
        auto server = server_public(flags.server);
        if (!server) return fail(server.error());
        keys.server_public = std::move(*server);
    }
    auto pair = security::make_key_pair();
    if (!pair) return fail(pair.error());
    keys.pair = std::move(*pair);
    const bool of_broker = keys.server_public.empty();
    const std::string title = of_broker ? "Key of a Telpher broker." : "Key of a user of a Telpher broker.";
    if (auto done = security::write_new_file(flags.file, format(keys, title), kSecretMode); !done) return done;
    const std::string open = flags.file + ".pub";
    const std::string text = security::format_public(keys.pair.public_key, title);
    if (auto done = security::write_new_file(open, text, kPublicMode); !done) {
        ::unlink(flags.file.c_str());
        return done;
    }
    note(globals, "made " + flags.file + " (secret) and " + open +
                      (of_broker ? ": start telpherd with --server-key " + flags.file
                                 : ": give the public key to `telpher user add NAME --public-key`"));
    command::print(keys.pair.public_key + "\n");
    return {};
}

// --- user ---

Result<void> check_name(const KeyFlags& flags) {
    if (security::legal_user_name(flags.name)) return {};
    return fail(Code::kUsage, "'" + flags.name + "' is no user's name: up to 64 letters, digits and . _ -");
}

Result<security::Rules> rules_of(const KeyFlags& flags) {
    security::Rules rules{flags.put, flags.get, flags.admin_on};
    if (flags.admin) rules.admin = {"*"};
    for (const auto* patterns : {&rules.put, &rules.get, &rules.admin}) {
        for (const std::string& pattern : *patterns) {
            if (!security::legal_pattern(pattern))
                return fail(Code::kUsage, "'" + pattern + "' is no pattern: a queue's name with * and ? in it");
        }
    }
    return rules;
}

/// What a user is handed.
struct HandedOut {
    std::string public_key;
    std::string path;
};

/// A new pair for the user, in a key file to be handed over.
Result<HandedOut> hand_out(const KeyFlags& flags) {
    auto server = server_public(flags.server_key);
    if (!server) {
        return fail(server.error().code(),
                    server.error().detail() + ": --server-key FILE names the broker's key (`telpher keygen`)");
    }
    auto pair = security::make_key_pair();
    if (!pair) return fail(pair.error());
    const KeyFile keys{std::move(*pair), std::move(*server)};
    const std::string path = flags.out.empty() ? flags.name + ".key" : flags.out;
    const std::string title = "Key of " + flags.name + ", user of a Telpher broker.";
    if (auto done = security::write_new_file(path, format(keys, title), kSecretMode); !done) return fail(done.error());
    return HandedOut{keys.pair.public_key, path};
}

/// `done`: whether the broker's side of it could be written. If not, what was handed out is worth nothing.
Result<void> conclude(const HandedOut& made, Result<void> done, const KeyFlags& flags, const Globals& globals) {
    if (done)
        note(globals,
             "made " + made.path + ": hand it to " + flags.name + " over a safe way, and send telpherd a SIGHUP");
    else
        ::unlink(made.path.c_str());
    return done;
}

/// The key of a user who keeps the secret. Two users with one key would be one, so no reload would take them.
Result<void> check_public_key(const KeyFlags& flags) {
    if (const auto good = security::decode_key(flags.public_key); !good)
        return fail(Code::kUsage, "--public-key: " + good.error().detail());
    std::error_code ignored;
    if (!std::filesystem::exists(flags.dir, ignored)) return {};
    const auto users = security::read_users(flags.dir);
    if (!users) return fail(users.error());
    for (const UserFile& user : *users) {
        if (std::ranges::find(user.public_keys, flags.public_key) != user.public_keys.end())
            return fail(Code::kConfig, "--public-key: it is the key of user " + user.name + " already");
    }
    return {};
}

Result<void> add_user(const KeyFlags& flags, const Globals& globals) {
    if (auto good = check_name(flags); !good) return good;
    auto rules = rules_of(flags);
    if (!rules) return fail(rules.error());
    std::error_code error;
    if (std::filesystem::exists(flags.user_file(), error))
        return fail(Code::kConfig, "there is a user " + flags.name + " already: " + flags.user_file().string());
    const auto write = [&](std::string key) -> Result<void> {
        std::filesystem::create_directories(flags.dir, error);
        if (error) return fail(Code::kIo, flags.dir + ": " + error.message());
        const UserFile user{flags.name, {std::move(key)}, std::move(*rules), flags.quota};
        return security::write_new_file(flags.user_file(), format(user), kPublicMode);
    };
    if (!flags.public_key.empty()) {
        auto good = check_public_key(flags);
        return good ? write(flags.public_key) : good;
    }
    const auto made = hand_out(flags);
    return made ? conclude(*made, write(made->public_key), flags, globals) : fail(made.error());
}

Result<void> remove_user(const KeyFlags& flags, const Globals& globals) {
    if (auto good = check_name(flags); !good) return good;
    std::error_code error;
    if (!std::filesystem::remove(flags.user_file(), error)) {
        return fail(error ? Code::kIo : Code::kConfig,
                    error ? flags.user_file().string() + ": " + error.message() : "there is no user " + flags.name);
    }
    note(globals, "removed; send telpherd a SIGHUP to end the user's sessions");
    return {};
}

/// Another file in its place: a reader sees the old one or the new one.
Result<void> replace_user(const KeyFlags& flags, const UserFile& user) {
    const std::filesystem::path fresh = flags.dir + "/." + flags.name + "." + std::to_string(::getpid());
    if (auto done = security::write_new_file(fresh, format(user), kPublicMode); !done) return done;
    std::error_code error;
    std::filesystem::rename(fresh, flags.user_file(), error);
    if (!error) return {};
    ::unlink(fresh.c_str());
    return fail(Code::kIo, flags.user_file().string() + ": " + error.message());
}

Result<void> rekey_user(const KeyFlags& flags, const Globals& globals) {
    if (auto good = check_name(flags); !good) return good;
    auto user = security::read_user_file(flags.user_file());
    if (!user) return fail(user.error());
    const auto made = hand_out(flags);
    if (!made) return fail(made.error());
    if (flags.only) user->public_keys.clear();
    user->public_keys.insert(user->public_keys.begin(), made->public_key);
    if (user->public_keys.size() > kKeysKept) user->public_keys.resize(kKeysKept);
    return conclude(*made, replace_user(flags, *user), flags, globals);
}

/// "10 queues, 1000 messages, 1GiB"; empty: no quota.
std::string quota_text(const security::Quota& quota) {
    std::string text;
    const auto add = [&text](const std::string& part) { text.append(text.empty() ? "" : ", ").append(part); };
    if (quota.queues > 0) add(std::to_string(quota.queues) + " queues");
    if (quota.messages > 0) add(std::to_string(quota.messages) + " messages");
    if (quota.bytes > 0) add(format_size(quota.bytes));
    return text;
}

Json to_json(const UserFile& user) {
    return {{"name", user.name},
            {"put", user.rules.put},
            {"get", user.rules.get},
            {"admin", user.rules.admin},
            {"quota", {{"queues", user.quota.queues}, {"messages", user.quota.messages}, {"bytes", user.quota.bytes}}},
            {"public_keys", user.public_keys}};
}

std::string join(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all.append(all.empty() ? "" : " ").append(text);
    return all;
}

int list_users(const KeyFlags& flags, const Globals& globals) {
    const auto users = security::read_users(flags.dir);
    if (!users) return command::print_error(users.error());
    if (globals.output == Format::kTable) {
        command::Table table({"USER", "PUT", "GET", "ADMIN", "QUOTA", "KEYS"});
        for (const UserFile& user : *users) {
            table.add({user.name, join(user.rules.put), join(user.rules.get), join(user.rules.admin),
                       quota_text(user.quota), std::to_string(user.public_keys.size())});
        }
        return command::print(table.text(command::use_color(globals)));
    }
    Json all = Json::array();
    std::string lines;
    for (const UserFile& user : *users) {
        all.push_back(to_json(user));
        lines += command::dump(all.back()) + "\n";
    }
    return command::print(globals.output == Format::kNdjson ? lines : command::dump(all) + "\n");
}

int show_user(const KeyFlags& flags, const Globals& globals) {
    if (auto good = check_name(flags); !good) return command::print_error(good.error());
    const auto user = security::read_user_file(flags.user_file());
    if (!user) return command::print_error(user.error());
    if (globals.output != Format::kTable) return command::print(command::dump(to_json(*user)) + "\n");
    return command::print("name         " + user->name + "\nput          " + join(user->rules.put) + "\nget          " +
                          join(user->rules.get) + "\nadmin        " + join(user->rules.admin) + "\nquota        " +
                          quota_text(user->quota) + "\npublic_keys  " + join(user->public_keys) + "\n");
}

/// Where the new key file goes, and which broker's it is for.
void add_hand_out_flags(CLI::App& app, KeyFlags& flags) {
    app.add_option("--server-key", flags.server_key, "The broker's key file, its .pub, or the public key itself")
        ->capture_default_str();
    app.add_option("--out", flags.out, "The user's key file (default: NAME.key)")->type_name("FILE");
}

void add_user_commands(Program& program, const std::shared_ptr<KeyFlags>& flags) {
    CLI::App& user = *program.app().add_subcommand("user", "Users of a broker: their keys and rights");
    user.require_subcommand(1);
    const auto make = [&](const char* name, const char* help, std::function<int(const Globals&)> run) -> CLI::App& {
        CLI::App* app = user.add_subcommand(name, help);
        app->add_option("--dir", flags->dir, "The broker's users directory")->type_name("DIR")->capture_default_str();
        program.on(*app, [run = std::move(run), &program] { return run(program.globals()); });
        return *app;
    };
    const auto named = [&](CLI::App& app) -> CLI::App& {
        app.add_option("NAME", flags->name, "Name of the user")->required();
        return app;
    };
    CLI::App& add = named(make("add", "Make a user: key file to hand over, rights for the broker",
                               [flags](const Globals& globals) { return status_of(add_user(*flags, globals)); }));
    add_hand_out_flags(add, *flags);
    const auto patterns = [&](const char* name, std::vector<std::string>& into, const char* help) {
        add.add_option(name, into, help)->type_name("PATTERN")->allow_extra_args(false);
    };
    patterns("--put", flags->put, "Queues the user may put to and seal: a name with * and ?; may be given again");
    patterns("--get", flags->get, "Queues the user may get from and peek at; may be given again");
    patterns("--admin-on", flags->admin_on, "Queues the user may do everything with; may be given again");
    add.add_flag("--admin", flags->admin, "Everything with every queue");
    command::add_count(add, "--max-queues", {1, INT64_MAX}, flags->quota.queues, "Queues that the user may have made");
    command::add_count(add, "--max-messages", {1, INT64_MAX}, flags->quota.messages,
                       "Sum of the maxsize of these queues");
    const auto set_bytes = [flags](std::uint64_t bytes) {
        if (bytes == 0) throw CLI::ValidationError("--max-bytes", "0 is no quota; leave it out for no bound");
        flags->quota.bytes = bytes;
    };
    command::add_size(add, "--max-bytes", set_bytes, "Sum of their max_bytes, which each must have then");
    add.add_option("--public-key", flags->public_key, "The user's own key (`telpher keygen`): no key file is made")
        ->type_name("KEY");
    make("ls", "Show all users", [flags](const Globals& globals) { return list_users(*flags, globals); });
    named(make("show", "Show one user", [flags](const Globals& globals) { return show_user(*flags, globals); }));
    named(make("rm", "Remove a user",
               [flags](const Globals& globals) { return status_of(remove_user(*flags, globals)); }));
    CLI::App& rekey = named(make("rekey", "Another key for a user; the one before counts until the next",
                                 [flags](const Globals& globals) { return status_of(rekey_user(*flags, globals)); }));
    add_hand_out_flags(rekey, *flags);
    rekey.add_flag("--only", flags->only, "Older keys count no more");
}

}  // namespace

void add_key_commands(Program& program) {
    const auto flags = std::make_shared<KeyFlags>();
    CLI::App* app = program.app().add_subcommand("keygen", "Make the key of a broker, or one's own as a user");
    app->add_option("FILE", flags->file, "Key file to make; the public half goes to FILE.pub")->capture_default_str();
    app->add_option("--for-server", flags->server, "A user's key, for the broker with this public key (or file)")
        ->type_name("KEY");
    program.on(*app, [flags, &program] { return status_of(keygen(*flags, program.globals())); });
    add_user_commands(program, flags);
}

}  // namespace telpher::cli
