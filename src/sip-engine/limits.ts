/**
 * Every cap on what the engine reads from the network, in one table. They are checked before anything is parsed, so
 * that a hostile message costs a scan of its bytes and nothing more. `status` is what a request over the cap is
 * answered with.
 *
 * The 2 kB for structured values also protects the application: its SIP parser uses regular expressions whose time
 * grows with the square of the length (4 ms at 2 kB, 15 ms at 4 kB, seconds at 50 kB).
 */
export const limits = {
  /** Bytes of one message, a datagram or a framed stream message, body included; 513. */
  message: 16_384,
  /** Bytes of the body; 513. SDP of a call is 0.3 to 4 kB. */
  body: 12_288,
  /** Bytes of a multipart body, which the application cuts up with a regular expression (14 ms at 4 kB); 513. */
  multipartBody: 4_096,
  /** Bytes of the start line, or of one header line with its folded parts; 513. */
  line: 4_096,
  /** Bytes of the value of a header that has a grammar of its own (see `structuredHeaders`); 513. */
  structuredValue: 2_048,
  /** Bytes of a URI, in the request line or in a header; 513 in the request line, 400 elsewhere. */
  uri: 1_024,
  /** Header fields of one message; 513. */
  headers: 200,
  /** Via values of one message, after lists were split; 513. The longest legal message of RFC 4475 has 34. */
  vias: 40,
} as const;
