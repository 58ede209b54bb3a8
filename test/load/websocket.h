/*
 * What RFC 6455 asks of a server, without sockets: reading the request, the answer to its key, the payload of a frame.
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define MOST_HEADER 10 /* of a frame that the server sends */
#define KEY_LENGTH 24
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };
enum { CLOSED_NORMALLY = 1000, PROTOCOL_ERROR = 1002, TOO_LARGE = 1009 };

/* @param name of the header, with its colon @returns where its value begins, or NULL */
static const char *header_of(const char *head, const char *name) {
  size_t length = strlen(name);
  while ((head = strstr(head, "\r\n"))) {
    head += 2;
    if (!strncasecmp(head, name, length)) return head + length + strspn(head + length, " ");
  }
  return NULL;
}

static uint32_t rotate(uint32_t word, int by) { return word << by | word >> (32 - by); }

/* A block of SHA-1 (RFC 3174). */
static void digest(uint32_t h[5], const uint8_t *block) {
  static const uint32_t k[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
  uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
  for (int i = 0; i < 16; i++, block += 4) w[i] = (uint32_t)block[0] << 24 | block[1] << 16 | block[2] << 8 | block[3];
  for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  for (int i = 0; i < 80; i++) {
    uint32_t f = i < 20 ? (b & c) | (~b & d) : i >= 40 && i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
    uint32_t next = rotate(a, 5) + f + e + k[i / 20] + w[i];
    e = d, d = c, c = rotate(b, 30), b = a, a = next;
  }
  h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* Writes the value of Sec-WebSocket-Accept: base64 of the SHA-1 of key and GUID, which are 60 bytes always. */
static void accept_of(const char *key, char text[29]) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  uint8_t blocks[128] = {0}, hash[21] = {0};
  const size_t length = KEY_LENGTH + sizeof GUID - 1, bits = length * 8;
  memcpy(blocks, key, KEY_LENGTH);
  memcpy(blocks + KEY_LENGTH, GUID, sizeof GUID - 1);
  blocks[length] = 0x80;
  blocks[126] = (uint8_t)(bits >> 8);
  blocks[127] = (uint8_t)bits;
  digest(h, blocks);
  digest(h, blocks + 64);
  for (int i = 0; i < 20; i++) hash[i] = (uint8_t)(h[i / 4] >> (24 - i % 4 * 8));
  for (int i = 0; i < 28; i++) {
    uint32_t group = (uint32_t)hash[i / 4 * 3] << 16 | hash[i / 4 * 3 + 1] << 8 | hash[i / 4 * 3 + 2];
    text[i] = digits[group >> (18 - i % 4 * 6) & 63];
  }
  strcpy(text + 27, "=");
}

static void unmask(uint8_t *bytes, size_t size, const uint8_t *mask) {
  uint64_t twice, word;
  memcpy(&twice, mask, 4);
  memcpy((uint8_t *)&twice + 4, mask, 4);
  size_t at = 0;
  for (; at + sizeof word <= size; at += sizeof word) {
    memcpy(&word, bytes + at, sizeof word);
    word ^= twice;
    memcpy(bytes + at, &word, sizeof word);
  }
  for (; at < size; at++) bytes[at] ^= mask[at % 4];
}
