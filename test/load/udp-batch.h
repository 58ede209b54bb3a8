/*
 * UDP sockets on 127.0.0.1 that send and read many packets in one system call, which may cost as much as all else that a
 * packet takes.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define MAX_DATAGRAM 2048
#define RECEIVE_BUFFER (1024 * 1024)

static void die(const char *what) {
  perror(what);
  exit(1);
}

static struct sockaddr_in on_loopback(uint16_t port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
}

static int open_socket(void) {
  struct sockaddr_in at = on_loopback(0);
  int on = 1, size = RECEIVE_BUFFER, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at)) die("bind");
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  /* More than the system's bound, where that is allowed. */
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size)) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  return fd;
}

static uint16_t port_of(int fd) {
  struct sockaddr_in at;
  socklen_t length = sizeof at;
  if (getsockname(fd, (struct sockaddr *)&at, &length)) die("getsockname");
  return ntohs(at.sin_port);
}

static struct sockaddr_in targets[BATCH];
static struct iovec queued_bytes[BATCH];
static struct mmsghdr queued[BATCH];
static unsigned queued_count;

/* @returns how many packets could not be sent */
static unsigned send_queued(int fd) {
  unsigned failed = 0, done = 0;
  while (done < queued_count) {
    int sent = sendmmsg(fd, queued + done, queued_count - done, 0);
    if (sent < 1) failed++;
    done += sent < 1 ? 1 : (unsigned)sent;
  }
  queued_count = 0;
  return failed;
}

/* @param bytes needed until they are sent; there is room for BATCH packets */
static void queue_packet(uint16_t port, uint8_t *bytes, size_t length) {
  unsigned i = queued_count++;
  targets[i] = on_loopback(port);
  queued_bytes[i] = (struct iovec){bytes, length};
  queued[i].msg_hdr = (struct msghdr){
      .msg_name = &targets[i], .msg_namelen = sizeof targets[i], .msg_iov = &queued_bytes[i], .msg_iovlen = 1};
}

static struct arrived {
  uint8_t bytes[MAX_DATAGRAM];
  size_t length;
  uint16_t port; /* that it came from */
  int64_t at;    /* when the kernel had it, wall clock in ns */
} arrived[BATCH];

static int64_t time_stamp(struct msghdr *message) {
  struct cmsghdr *head = CMSG_FIRSTHDR(message);
  struct timespec at;
  if (!head || head->cmsg_type != SCM_TIMESTAMPNS) die("no time stamp");
  memcpy(&at, CMSG_DATA(head), sizeof at);
  return at.tv_sec * 1000000000LL + at.tv_nsec;
}

/* @returns how many packets are in `arrived`; BATCH: there may be more */
static int read_packets(int fd) {
  static struct iovec parts[BATCH];
  static struct sockaddr_in sources[BATCH];
  static char controls[BATCH][64];
  struct mmsghdr messages[BATCH];
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){arrived[i].bytes, MAX_DATAGRAM};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &sources[i], .msg_namelen = sizeof sources[i],
                                          .msg_iov = &parts[i], .msg_iovlen = 1,
                                          .msg_control = controls[i], .msg_controllen = sizeof controls[i]};
  }
  int count = recvmmsg(fd, messages, BATCH, 0, NULL);
  for (int i = 0; i < count; i++) {
    arrived[i].length = messages[i].msg_len;
    arrived[i].port = ntohs(sources[i].sin_port);
    arrived[i].at = time_stamp(&messages[i].msg_hdr);
  }
  return count;
}
