/*
 * The RTP side of the calls of a load test: so many streams over UDP on loopback, in one thread that costs next to nothing:
 * a few share a port, as the calls of a PBX may. Every stream sends the same packets, one every 20 ms, each stream at a
 * moment of its own within the 20. What comes back is measured by the kernel's time stamps, so that it does not matter when
 * this program gets to read it.
 *
 *   rtp-generator STREAMS PACKETS MAGIC
 *
 * PACKETS: a file of datagrams, each after its length (16 bits, big-endian); sent from the first to the last and over again.
 * MAGIC: 1 when each payload begins with the word "LOAD" and the packet's number, and is to come back as it was.
 * stdout: first the local ports in one line. stdin: the remote ports in one line start it (a port of 0: that stream rests;
 * fewer ports: so do those after them); then `measure` begins an interval, `over` ends it, and `report` writes what came out of it so far as one line of
 * JSON. `call STREAM PORT` starts one stream that rests, `rest STREAM` stops it. `sounds` writes another line: since
 * the last, whenever a stream began to hear another sound, [stream, wall clock in ms, byte]. A sound is a payload of one byte,
 * over and over, that is not silence; what is between two of the same is not told.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "udp-batch.h"

#define PERIOD_NS 20000000LL
#define LATE_GAP_NS 30000000LL
#define TICK_NS 1000000L
#define TICKS_PER_READ 10
#define STREAMS_PER_SOCKET 16 /* an ordinary receive buffer holds what they get in half a second */
#define BEGINNINGS 5
#define RTP_HEADER 12
#define BIN_NS 10000
#define BINS 20000
#define SILENCE 0xff
#define MAX_CHANGES 65536

struct histogram {
  uint32_t bins[BINS];
  uint64_t count;
};

struct stream {
  uint16_t port; /* the remote one */
  int64_t due;
  uint64_t next; /* number of the packet */
  uint64_t from, to; /* those of the interval */
  int64_t arrived;
  uint16_t sequence;
  int heard;
  uint8_t sound;
};

struct change {
  int64_t at;
  int stream;
  uint8_t sound;
};

static struct stream *streams;
static int count;
static int *sockets, socket_count;
static int stream_at[65536]; /* by remote port, its number from 1 on */
static uint8_t *packets;
static size_t *offsets;
static size_t packet_count;
static int is_magic;
static uint8_t *seen; /* a bit per stream and packet */
static size_t seen_bytes;

static int measuring;
static struct histogram jitter, late;
static uint64_t sent, received, lost, late_gaps, gaps, back, twice, failed;
static struct rusage began, ended;
static struct change changes[MAX_CHANGES];
static int change_count, changes_dropped;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void add(struct histogram *h, int64_t ns) {
  int64_t bin = ns < 0 ? 0 : ns / BIN_NS;
  h->bins[bin < BINS ? bin : BINS - 1]++;
  h->count++;
}

static double percentile(const struct histogram *h, double share) {
  uint64_t left = (uint64_t)(h->count * share);
  for (int bin = 0; bin < BINS; bin++) {
    if (left < h->bins[bin]) return (bin + 1) * (BIN_NS / 1e6);
    left -= h->bins[bin];
  }
  return h->count == 0 ? 0 : BINS * (BIN_NS / 1e6);
}

static void load_packets(const char *file) {
  FILE *f = fopen(file, "rb");
  if (!f) die(file);
  fseek(f, 0, SEEK_END);
  size_t size = (size_t)ftell(f);
  rewind(f);
  packets = malloc(size);
  offsets = malloc((size / 2 + 1) * sizeof *offsets);
  if (fread(packets, 1, size, f) != size) die(file);
  fclose(f);
  for (size_t at = 0; at + 2 <= size; at += 2 + (packets[at] << 8 | packets[at + 1])) offsets[packet_count++] = at;
}

static int socket_of(int stream) { return sockets[stream / STREAMS_PER_SOCKET]; }

static void open_streams(void) {
  socket_count = (count + STREAMS_PER_SOCKET - 1) / STREAMS_PER_SOCKET;
  sockets = calloc((size_t)socket_count, sizeof *sockets);
  for (int i = 0; i < socket_count; i++) sockets[i] = open_socket();
  for (int i = 0; i < count; i++) printf("%d%c", port_of(socket_of(i)), i + 1 < count ? ' ' : '\n');
  fflush(stdout);
}

static void start_stream(int i, long port, int64_t due) {
  struct stream *s = &streams[i];
  if (stream_at[s->port] == i + 1) stream_at[s->port] = 0;
  s->port = (uint16_t)port;
  stream_at[s->port] = i + 1;
  s->due = due;
}

/*
 * The remote ports: from here on their streams send, spread over the period, and begun over several: real calls do not all
 * begin in the same 20 ms, and with them the messages that 100 ms of their speech are sent in.
 */
static void start(char *line) {
  int64_t first = now_ns() + PERIOD_NS;
  for (int i = 0; i < count; i++) {
    char *end;
    long port = strtol(line, &end, 10);
    if (end == line) return;
    line = end;
    if (port > 0) start_stream(i, port, first + PERIOD_NS * (i % BEGINNINGS) + PERIOD_NS * i / count);
  }
}

/* One stream that rests, for another call than before. */
static void start_call(const char *line) {
  int i;
  long port;
  if (sscanf(line, "call %d %ld", &i, &port) != 2 || i < 0 || i >= count) die(line);
  streams[i].heard = 0;
  start_stream(i, port, now_ns());
}

static void rest(const char *line) {
  int i = atoi(line + 5);
  if (i >= 0 && i < count) streams[i].due = 0;
}

static void send_now(int fd) {
  unsigned unsent = send_queued(fd);
  if (measuring) failed += unsent;
}

static void send_due(void) {
  int64_t now = now_ns();
  for (int i = 0; i < count; i++) {
    struct stream *s = &streams[i];
    for (; s->due != 0 && s->due <= now; s->due += PERIOD_NS) {
      uint8_t *packet = packets + offsets[s->next++ % packet_count];
      queue_packet(s->port, packet + 2, (size_t)(packet[0] << 8 | packet[1]));
      if (queued_count == BATCH) send_now(socket_of(i));
      if (!measuring) continue;
      sent++;
      add(&late, now - s->due);
    }
    if (i + 1 == count || (i + 1) % STREAMS_PER_SOCKET == 0) send_now(socket_of(i));
  }
}

/* What was sent in the interval and has come back whole; it may do so after it. */
static void check_content(int i, const uint8_t *payload, size_t length) {
  if (length < 8 || memcmp(payload, "LOAD", 4)) return;
  uint32_t number = (uint32_t)payload[4] << 24 | payload[5] << 16 | payload[6] << 8 | payload[7];
  if (number < streams[i].from || number >= streams[i].to || number >= packet_count) return;
  uint8_t *byte = &seen[(size_t)i * seen_bytes + number / 8], bit = (uint8_t)(1 << number % 8);
  if (*byte & bit) twice++;
  else back++;
  *byte |= bit;
}

static void count_packet(struct stream *s, const uint8_t *packet, int64_t at) {
  uint16_t sequence = (uint16_t)(packet[2] << 8 | packet[3]);
  int16_t step = (int16_t)(sequence - s->sequence);
  if (measuring) {
    received++;
    if (s->heard) {
      int64_t gap = at - s->arrived, off = gap - PERIOD_NS;
      gaps++;
      if (gap > LATE_GAP_NS) late_gaps++;
      add(&jitter, off < 0 ? -off : off);
      if (step > 1) lost += (uint64_t)(step - 1);
    }
  }
  s->heard = 1;
  s->sequence = sequence;
  s->arrived = at;
}

static void note_sound(int i, const uint8_t *payload, size_t length, int64_t at) {
  uint8_t sound = payload[0];
  if (length < 2 || sound == SILENCE || sound == streams[i].sound || memcmp(payload, payload + 1, length - 1)) return;
  streams[i].sound = sound;
  if (change_count < MAX_CHANGES) changes[change_count++] = (struct change){at, i, sound};
  else changes_dropped++;
}

static void receive(int fd) {
  int ready;
  do {
    ready = read_packets(fd);
    for (int n = 0; n < ready; n++) {
      const struct arrived *packet = &arrived[n];
      int i = stream_at[packet->port] - 1;
      /* What is left of a call that is over may come to a stream of another socket. */
      if (packet->length < RTP_HEADER || i < 0 || socket_of(i) != fd) continue;
      const uint8_t *payload = packet->bytes + RTP_HEADER;
      size_t length = packet->length - RTP_HEADER;
      count_packet(&streams[i], packet->bytes, packet->at);
      note_sound(i, payload, length, packet->at);
      if (is_magic) check_content(i, payload, length);
    }
  } while (ready == BATCH);
}

static double cpu_ms(const struct rusage *use) {
  return (use->ru_utime.tv_sec + use->ru_stime.tv_sec) * 1e3 + (use->ru_utime.tv_usec + use->ru_stime.tv_usec) / 1e3;
}

static void report(void) {
  printf("{\"sent\":%lu,\"received\":%lu,\"lost\":%lu,\"failed\":%lu,\"returned\":%lu,\"duplicated\":%lu,", sent, received, lost,
         failed, back, twice);
  printf("\"jitter\":{\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f},\"lateShare\":%.6f,\"generatorLate\":{\"p99\":%.2f},",
         percentile(&jitter, 0.5), percentile(&jitter, 0.99), percentile(&jitter, 0.999),
         gaps ? (double)late_gaps / gaps : 0, percentile(&late, 0.99));
  printf("\"generatorCpuMs\":%.0f}\n", cpu_ms(&ended) - cpu_ms(&began));
  fflush(stdout);
}

static void tell_sounds(void) {
  printf("{\"dropped\":%d,\"changes\":[", changes_dropped);
  for (int i = 0; i < change_count; i++)
    printf("%s[%d,%.2f,%d]", i ? "," : "", changes[i].stream, changes[i].at / 1e6, changes[i].sound);
  printf("]}\n");
  fflush(stdout);
  change_count = changes_dropped = 0;
}

static void begin(void) {
  memset(&jitter, 0, sizeof jitter);
  memset(&late, 0, sizeof late);
  memset(seen, 0, (size_t)count * seen_bytes);
  sent = received = lost = late_gaps = gaps = back = twice = failed = 0;
  for (int i = 0; i < count; i++) {
    streams[i].from = streams[i].next;
    streams[i].to = UINT64_MAX;
  }
  getrusage(RUSAGE_SELF, &began);
  measuring = 1;
}

static void end(void) {
  measuring = 0;
  getrusage(RUSAGE_SELF, &ended);
  for (int i = 0; i < count; i++) streams[i].to = streams[i].next;
}

/* @returns 0 when the other end is gone */
static int obey(void) {
  static char *line;
  static size_t room;
  if (getline(&line, &room, stdin) < 0) return 0;
  if (!strcmp(line, "measure\n")) begin();
  else if (!strcmp(line, "over\n")) end();
  else if (!strcmp(line, "report\n")) report();
  else if (!strcmp(line, "sounds\n")) tell_sounds();
  else if (!strncmp(line, "call ", 5)) start_call(line);
  else if (!strncmp(line, "rest ", 5)) rest(line);
  else start(line);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  count = atoi(argv[1]);
  is_magic = atoi(argv[3]);
  streams = calloc((size_t)count, sizeof *streams);
  load_packets(argv[2]);
  seen_bytes = packet_count / 8 + 1;
  seen = calloc((size_t)count, seen_bytes);
  int timer = timerfd_create(CLOCK_MONOTONIC, 0);
  open_streams();
  setvbuf(stdin, NULL, _IONBF, 0);
  struct pollfd orders = {.fd = STDIN_FILENO, .events = POLLIN};
  struct itimerspec tick = {{0, TICK_NS}, {0, TICK_NS}};
  timerfd_settime(timer, 0, &tick, NULL);
  for (uint64_t ticks, unread = 0; read(timer, &ticks, sizeof ticks) > 0; unread += ticks) {
    send_due();
    for (int i = 0; unread >= TICKS_PER_READ && i < socket_count; i++) receive(sockets[i]);
    if (unread >= TICKS_PER_READ) unread = 0;
    while (poll(&orders, 1, 0) > 0)
      if (!obey()) return 0;
  }
  die("timer");
}
