// A place for one letter: whoever writes puts the newest there, the reader takes it when it comes by. No locks: looking
// into an empty box is one relaxed load. One reader, any number of writers.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

namespace telpher::broker {

template <class Letter>
class Mailbox {
public:
    Mailbox() = default;
    ~Mailbox() { delete box_.load(); }
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    /// Replaces a letter that was not taken.
    void put(Letter letter) { delete box_.exchange(new Letter(std::move(letter))); }
    [[nodiscard]] bool waiting() const { return box_.load(std::memory_order_relaxed) != nullptr; }
    /// Nothing if the box is empty.
    std::unique_ptr<Letter> take() { return std::unique_ptr<Letter>(waiting() ? box_.exchange(nullptr) : nullptr); }

private:
    std::atomic<Letter*> box_{nullptr};
};

}  // namespace telpher::broker
