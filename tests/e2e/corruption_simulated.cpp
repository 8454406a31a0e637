#include <fmt/format.h>

#include "tests/e2e/corruption.h"
#include "tests/sim/sim_peer.h"

namespace telpher::test {
namespace {

using sim::Frame;

/// A reader of everything in the queue.
class Reading {
public:
    Reading(const Reference& reference, const Folder& folder) : broker_(1, settings(), log_of(reference)) {
        for (const auto& [name, bytes] : folder) {
            const auto file = broker_.files().create(log_of(reference).dir + "/" + name);
            const Bytes part(bytes);
            if (!bytes.empty()) (void)(*file)->write_at(0, {&part, 1});
            (void)(*file)->sync();
        }
        (void)broker_.files().sync_dir(log_of(reference).dir);
        broker_.transport().on_send([this](sim::PeerId, const Frame& frame) { note(frame); });
    }

    Served run() {
        const auto started = broker_.start();
        served_.started = started.has_value();
        if (!started) {
            served_.refused = started.error().message();
            return served_;
        }
        note_cuts(broker_.shard().recovery());
        try {
            read();
        } catch (const std::runtime_error& error) {
            if (!broker_.shard().failed()) served_.wrong.emplace_back(error.what());
        }
        if (const auto error = broker_.shard().failed()) {
            served_.failed = true;
            served_.refused = error->message();
        }
        return served_;
    }

private:
    static broker::ShardSettings settings() {
        broker::ShardSettings settings = sim::small_settings();
        settings.disk_reserve_bytes = 0;
        return settings;
    }
    static log::LogOptions log_of(const Reference& reference) {
        log::LogOptions options = sim::small_log();
        options.segment_bytes = reference.segment_bytes;
        return options;
    }

    void note_cuts(const log::Recovery& recovery) {
        served_.torn = recovery.torn;
        for (const auto& [repair, kept_as, not_kept] : recovery.repairs) {
            using Kind = log::Repair::Kind;
            if (repair.kind != Kind::kCutTail && repair.kind != Kind::kRemoveUnfinished) continue;
            served_.cuts.push_back({repair.name, repair.at, repair.at + repair.bytes});
        }
    }

    void read() {
        sim::SimPeer peer(broker_);
        peer.hello();
        const auto handle = peer.open(kQueue, sim::bounded(1'000'000));
        look(peer, 3);
        look(peer, 4);
        peer.attach(handle, 60'000);
        for (int step = 0; step < 6; ++step) {  // what may be in hands is held for 2 s
            broker_.settle();
            broker_.advance(std::chrono::milliseconds(500));
        }
        broker_.settle();
    }

    void look(sim::SimPeer& peer, std::uint32_t state) {
        for (std::uint64_t from = 0;;) {
            v1::Peek peek;
            peek.set_req(peer.request());
            peek.set_name(kQueue);
            peek.set_from(from);
            peek.set_max(1000);
            peek.set_state(state);
            peer.send(v1::OP_PEEK, peek);
            from = peer.await<v1::Peeked>(v1::OP_PEEKED).next();
            if (from == 0) return;
        }
    }

    void note(const Frame& frame) {
        if (frame.op == v1::OP_DELIVER) {
            const auto deliver = frame.as<v1::Deliver>();
            at_ = {0, 0};
            take(frame, deliver.first_offset(), deliver.count());
        } else if (frame.op == v1::OP_PEEKED) {
            at_ = {0, 0};
            const auto peeked = frame.as<v1::Peeked>();
            for (const auto& run : peeked.runs()) take(frame, run.first_offset(), run.count());
        }
    }

    void take(const Frame& frame, std::uint64_t first, std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto bytes = load_le<std::uint32_t>(frame.bodies.at(0).data() + at_.first);
            const auto record = batch::decode_record(frame.bodies.at(1).bytes().subspan(at_.second, bytes));
            at_.first += sizeof bytes;
            at_.second += bytes;
            const std::string payload = record ? std::string(as_text(record->payload)) : "no record";
            const auto [known, fresh] = served_.messages.emplace(first + i, payload);
            if (!fresh && known->second != payload) served_.wrong.push_back(fmt::format("message {} twice", first + i));
        }
    }

    sim::SimBroker broker_;
    Served served_;
    std::pair<std::size_t, std::size_t> at_;  // in the lengths and the records of a frame
};

}  // namespace

Served serve(const Reference& reference, const Folder& folder) { return Reading(reference, folder).run(); }

}  // namespace telpher::test
