#include "broker/strangers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace telpher::broker {

std::string without_mapping(std::string address) {
    constexpr std::string_view kMapped = "::ffff:";
    const bool mapped = address.starts_with(kMapped) && address.find('.') != std::string::npos;
    return mapped ? address.substr(kMapped.size()) : address;
}

std::optional<int> Strangers::add(int fd, std::string address, Instant now) {
    remove(fd);
    const Age age = next_++;
    std::set<Age>& same = by_address_[address];
    same.insert(age);
    const bool crowded = same.size() > limits_.per_address;
    const Age oldest = crowded ? *same.begin() : 0;
    by_age_.emplace(age, Stranger{fd, now, std::move(address)});
    by_fd_.emplace(fd, age);
    if (!crowded && by_age_.size() <= limits_.total) return std::nullopt;
    const Stranger& eldest = crowded ? by_age_.at(oldest) : by_age_.begin()->second;
    const int victim = eldest.since + limits_.young <= now ? eldest.fd : fd;
    remove(victim);
    return victim;
}

std::optional<int> Strangers::evict(Instant now) {
    if (by_age_.empty() || by_age_.begin()->second.since + limits_.young > now) return std::nullopt;
    const int victim = by_age_.begin()->second.fd;
    remove(victim);
    return victim;
}

void Strangers::remove(int fd) {
    const auto found = by_fd_.find(fd);
    if (found == by_fd_.end()) return;
    const auto stranger = by_age_.find(found->second);
    const auto same = by_address_.find(stranger->second.address);
    same->second.erase(found->second);
    if (same->second.empty()) by_address_.erase(same);
    by_age_.erase(stranger);
    by_fd_.erase(found);
}

const std::string* Strangers::address(int fd) const {
    const auto found = by_fd_.find(fd);
    return found == by_fd_.end() ? nullptr : &by_age_.at(found->second).address;
}

std::string address_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET) {
        const auto& ip = reinterpret_cast<const sockaddr_in&>(address);
        ::inet_ntop(AF_INET, &ip.sin_addr, text.data(), text.size());
        return text.data();
    }
    if (address.ss_family == AF_INET6) {
        const auto& ip = reinterpret_cast<const sockaddr_in6&>(address);
        ::inet_ntop(AF_INET6, &ip.sin6_addr, text.data(), text.size());
        return without_mapping(text.data());
    }
    ucred peer{};
    size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {};
    return "uid:" + std::to_string(peer.uid);
}

}  // namespace telpher::broker
