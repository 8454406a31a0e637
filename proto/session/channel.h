// What the client's engine offers to the parts of a queue (its puts, each of its consumers), and what it asks of them.
//
// A Part lives between two worlds. User threads hand over work under the part's own mutex and call Engine::ready(). The
// engine thread calls the on_... functions and do_work(), never two at a time. Only there may a part touch its Wire.
// A part lives as long as anybody holds it: its owner (a Queue or a Consumer) and the engine, until Engine::remove().
#pragma once

#include <google/protobuf/message_lite.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "proto/base/clock.h"
#include "proto/base/ids.h"
#include "proto/base/slice.h"
#include "proto/telpher.pb.h"
#include "telpher/error.h"

namespace telpher::session {

/// A frame from the broker; its header is parsed already. Valid during the callback; bodies may be kept (they own their
/// bytes).
struct Frame {
    v1::Op op;
    const google::protobuf::MessageLite& message;  ///< Of the type that belongs to `op`.
    std::span<const Slice> bodies;                 ///< As many as frame::body_frames(op) says.

    /// The header as M, which must be the message of `op`: `frame.as<v1::Deliver>()`.
    template <class M>
    [[nodiscard]] const M& as() const {
        return static_cast<const M&>(message);
    }
};

/// The answer to a request: a frame of the op that was expected, or the code of an ERROR.
using Answer = std::function<void(Result<const Frame*>)>;

class Part;
class QueueLink;

/// The live connection, as a part of one opened queue sees it. Engine thread only; valid from on_connected() to
/// on_disconnected().
class Wire {
public:
    virtual ~Wire() = default;

    [[nodiscard]] virtual HandleId handle() const = 0;  ///< Of the queue on this connection.
    [[nodiscard]] virtual Epoch epoch() const = 0;      ///< For the epoch field of every header.
    [[nodiscard]] virtual const v1::Limits& limits() const = 0;

    /// Sends a header of op `op` and its bodies. Never blocks; a connection that cannot take it is given up, and
    /// on_disconnected() follows later, not from within.
    virtual void send(v1::Op op, const google::protobuf::MessageLite& header, std::span<const Slice> bodies = {}) = 0;

    /// Sends `request` with its epoch and req set. `answer` is called once, on the engine thread; if the connection
    /// goes first it is dropped without a call: start over in the next on_connected().
    template <class M>
    void call(v1::Op op, M& request, Answer answer) {
        request.set_epoch(epoch().value());
        request.set_req(expect(op, std::move(answer)));
        send(op, request);
    }

    /// False while the connection's own put limit is used up; when it rises do_work() of every part is called.
    [[nodiscard]] virtual bool may_put() const = 0;

    /// Frames that name `sub` (DELIVER, SETTLED, RECALL, END) go to `part`. Call it from the answer to ATTACH; ends
    /// with the connection or with unbind().
    virtual void bind(std::uint32_t sub, Part& part) = 0;
    virtual void unbind(std::uint32_t sub) = 0;

private:
    virtual std::uint64_t expect(v1::Op op, Answer answer) = 0;
};

/// What a part learns when its queue is open on a new connection.
struct Connected {
    const v1::Opened& opened;  ///< Generation, options, first put limit of the handle, ...
    bool restarted = false;    ///< The broker process is another one than when it was open before.
};

/// One user of an opened queue: the puts of a client, or one of its consumers.
class Part : public std::enable_shared_from_this<Part> {
public:
    Part() = default;
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    virtual ~Part() = default;

    // --- engine thread ---

    /// The queue is open on a new connection; `wire` may be kept until on_disconnected(). First thing to do:
    /// OPEN_PRODUCER or ATTACH, then what was not answered before.
    virtual void on_connected(Wire& wire, const Connected& connected, Instant now) = 0;
    /// The connection is gone: forget the wire, the subscription and the requests on their way; keep what must be sent
    /// again.
    virtual void on_disconnected(Instant now) = 0;
    /// The queue can never be used again by this client (removed, refused, client closed): fail all who wait. Nothing
    /// follows.
    virtual void on_failed(const Error& error) = 0;
    /// Nobody holds the queue any more, the part is idle(), and CLOSE follows: the last chance to use the wire.
    virtual void on_close() {}
    /// CONFIRM, LIMIT, PARKED, ROOM of the handle (puts); DELIVER, SETTLED, RECALL, END of a bound sub (gets). A frame
    /// that makes no sense is refused with kProtocol: the connection is given up.
    virtual Result<void> on_frame(const Frame& frame, Instant now) = 0;
    /// Does what can be done now (after ready(), a raised session limit, or its own deadline); returns when it wants to
    /// be called again at the latest, Instant::never() if nothing is due by itself.
    virtual Instant do_work(Instant now) = 0;
    /// True if frames that name the handle (CONFIRM, LIMIT, PARKED, ROOM) are for this part.
    [[nodiscard]] virtual bool takes_confirms() const { return false; }
    /// True if nothing is on its way: a queue that nobody holds any more is closed once all its parts say so.
    [[nodiscard]] virtual bool idle() const { return true; }

    // --- user threads ---

    /// Waits until all that was handed over has its outcome (puts confirmed, settles committed); for the client's
    /// destructor.
    virtual Result<void> drain(Instant deadline) = 0;

private:
    friend class Engine;
    friend class Core;
    std::atomic<bool> ready_{false};  // in the engine's list of parts with work
    QueueLink* link_ = nullptr;       // engine thread: set while added
    Instant due_ = Instant::never();  // engine thread: what do_work() returned last
};

}  // namespace telpher::session
