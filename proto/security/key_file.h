// CURVE keys and the file that holds them. One file is all a client needs: its own pair and the public key of the
// broker it talks to; the broker's own file is the same without the latter. Keys are Z85 text of 40 characters. Plain
// functions; any thread.
//
//     [key]
//     public = "..."
//     secret = "..."
//     [server]
//     public = "..."
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "telpher/error.h"

namespace telpher::security {

inline constexpr std::size_t kKeyTextBytes = 40;  ///< A key as Z85 text.
inline constexpr std::size_t kKeyBytes = 32;      ///< The same, decoded.

struct KeyPair {
    std::string public_key;
    std::string secret_key;
};

struct KeyFile {
    KeyPair pair;
    std::string server_public;  ///< Empty in the broker's own file.
};

/// A new pair from the system's randomness.
Result<KeyPair> make_key_pair();

/// The 32 bytes of a Z85 key; kConfig if it is none.
Result<std::string> decode_key(std::string_view text);

/// Reads a file with a secret. kConfig, with the place: it is no key file, the two halves do not belong together, or
/// others than its owner may read it (files of systemd's $CREDENTIALS_DIRECTORY show the reader's own right as that of
/// a group and are taken so).
Result<KeyFile> read_key_file(const std::filesystem::path& path);

/// The public key of a key file, or of what format_public() made. A secret in it is not looked at.
Result<std::string> read_public_key(const std::filesystem::path& path);

/// The text of a key file; `title` is its first comment.
std::string format(const KeyFile& file, std::string_view title);
/// The text of a file with the public half alone.
std::string format_public(std::string_view public_key, std::string_view title);

/// Makes a file with exactly this mode and text; kConfig if there is one already: no key is ever written over.
Result<void> write_new_file(const std::filesystem::path& path, std::string_view text, unsigned mode);

}  // namespace telpher::security
