"""XXH3-64 (seed 0) in plain Python, for inputs of 17 bytes and more: a batch always has at least 53 to hash.

Slow and small: it is here so that the test vectors come from a second implementation. A client uses the xxHash library.
"""

PRIME32_1, PRIME32_2, PRIME32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
PRIME64_1, PRIME64_2, PRIME64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
PRIME64_4, PRIME64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
PRIME_MIX = 0x165667919E3779F9
MASK = (1 << 64) - 1

SECRET = bytes.fromhex("""
    b8 fe 6c 39 23 a4 4b be 7c 01 81 2c f7 21 ad 1c de d4 6d e9 83 90 97 db 72 40 a4 a4 b7 b3 67 1f
    cb 79 e6 4e cc c0 e5 78 82 5a d0 7d cc ff 72 21 b8 08 46 74 f7 43 24 8e e0 35 90 e6 81 3a 26 4c
    3c 28 52 bb 91 c3 00 cb 88 d0 65 8b 1b 53 2e a3 71 64 48 97 a2 0d f9 4e 38 19 ef 46 a9 de ac d8
    a8 fa 76 3f e3 9c 34 3f f9 dc bb c7 c7 0b 4f 1d 8a 51 e0 4b cd b4 59 31 c8 9f 7e c9 d9 78 73 64
    ea c5 ac 83 34 d3 eb c3 c5 81 a0 ff fa 13 63 eb 17 0d dd 51 b7 f0 da 49 d3 16 55 26 29 d4 68 9e
    2b 16 be 58 7d 47 a1 fc 8f f8 b8 d1 7a d0 31 ce 45 cb 3a 8f 95 16 04 28 af d7 fb ca bb 4b 40 7e
""")
SECRET_BYTES_MIN = 136
STRIPE, STRIPES_PER_BLOCK = 64, (len(SECRET) - 64) // 8


def u64(data, at):
    return int.from_bytes(data[at:at + 8], "little")


def fold(a, b):
    product = a * b
    return (product & MASK) ^ (product >> 64)


def avalanche(h):
    h ^= h >> 37
    h = h * PRIME_MIX & MASK
    return h ^ (h >> 32)


def mix(data, at, secret_at):
    return fold(u64(data, at) ^ u64(SECRET, secret_at), u64(data, at + 8) ^ u64(SECRET, secret_at + 8))


def up_to_128(data):
    size = len(data)
    acc = size * PRIME64_1
    for i in range((size - 1) // 32 + 1):
        acc += mix(data, 16 * i, 32 * i) + mix(data, size - 16 * (i + 1), 32 * i + 16)
    return avalanche(acc & MASK)


def up_to_240(data):
    size = len(data)
    acc = size * PRIME64_1 + sum(mix(data, 16 * i, 16 * i) for i in range(8))
    acc = avalanche(acc & MASK)
    acc += sum(mix(data, 16 * i, 16 * (i - 8) + 3) for i in range(8, size // 16))
    acc += mix(data, size - 16, SECRET_BYTES_MIN - 17)
    return avalanche(acc & MASK)


def accumulate(acc, data, at, secret_at):
    for lane in range(8):
        value = u64(data, at + 8 * lane)
        key = value ^ u64(SECRET, secret_at + 8 * lane)
        acc[lane ^ 1] = (acc[lane ^ 1] + value) & MASK
        acc[lane] = (acc[lane] + (key & 0xFFFFFFFF) * (key >> 32)) & MASK


def scramble(acc):
    for lane in range(8):
        h = acc[lane]
        acc[lane] = (h ^ (h >> 47) ^ u64(SECRET, len(SECRET) - 64 + 8 * lane)) * PRIME32_1 & MASK


def long(data):
    acc = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1]
    stripes = (len(data) - 1) // STRIPE
    for i in range(stripes):
        accumulate(acc, data, STRIPE * i, 8 * (i % STRIPES_PER_BLOCK))
        if (i + 1) % STRIPES_PER_BLOCK == 0:
            scramble(acc)
    accumulate(acc, data, len(data) - STRIPE, len(SECRET) - 64 - 7)
    h = len(data) * PRIME64_1
    h += sum(fold(acc[2 * i] ^ u64(SECRET, 11 + 16 * i), acc[2 * i + 1] ^ u64(SECRET, 19 + 16 * i)) for i in range(4))
    return avalanche(h & MASK)


def xxh3_64(data):
    if len(data) < 17:
        raise ValueError("17 bytes at least")
    if len(data) <= 128:
        return up_to_128(data)
    return up_to_240(data) if len(data) <= 240 else long(data)
