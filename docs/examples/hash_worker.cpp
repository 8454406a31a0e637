// The worker of deploy/demo: takes paths from one queue, reads the files, and puts SHA-256 and sizes into another.
//
//     hash_worker FILES RESULTS THREADS
//
// A result is "SHA256 BYTES DEFLATED PATH". It is confirmed before the path is acked, so no result is ever missing; a
// worker that dies between the two leaves a result that somebody will put again. Whoever reads RESULTS drops such
// doubles.
#include <sodium.h>
#include <zlib.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <telpher/telpher.hpp>
#include <vector>

#include "stop_on_signal.h"

namespace {

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string sha256(const std::string& bytes) {
    std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
    crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    std::array<char, 2 * crypto_hash_sha256_BYTES + 1> text{};
    sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
    return text.data();
}

std::size_t deflated_bytes(const std::string& bytes) {
    uLongf size = compressBound(bytes.size());
    std::vector<Bytef> out(size);
    compress2(out.data(), &size, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), Z_DEFAULT_COMPRESSION);
    return size;
}

telpher::Verdict handle(telpher::Message& message, telpher::Queue& results) {
    const std::string path(message.text());
    const auto bytes = read_file(path);
    if (!bytes) return telpher::Verdict::nack(telpher::Millis(1'000));
    const auto put = results.put(sha256(*bytes) + " " + std::to_string(bytes->size()) + " " +
                                 std::to_string(deflated_bytes(*bytes)) + " " + path);
    return put ? telpher::Verdict::ack() : telpher::Verdict::release();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4 || sodium_init() < 0) {
        std::fprintf(stderr, "usage: hash_worker FILES RESULTS THREADS\n");
        return 64;
    }
    const StopOnSignal signals;
    try {
        telpher::Client client;  // $TELPHER_SERVER
        telpher::QueueOptions existing;
        existing.create = false;
        telpher::Queue files = client.queue(argv[1], existing);
        telpher::Queue results = client.queue(argv[2], existing);
        telpher::RunOptions run;
        run.threads = static_cast<unsigned>(std::atoi(argv[3]));
        run.stop = signals.token();
        const auto done = files.run(run, [&](telpher::Message& message) { return handle(message, results); });
        return done.ended == telpher::Code::kEnd ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const telpher::Failure& failure) {
        std::fprintf(stderr, "hash_worker: %s\n", failure.what());
        return EXIT_FAILURE;
    }
}
