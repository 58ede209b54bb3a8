import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';

/** Nice value of a media thread: before the rest of the machine, which can wait some ms where speech cannot. */
const NICE = -10;

/**
 * Puts the calling thread before others, where the system allows it (Linux, as root or with CAP_SYS_NICE); elsewhere
 * nothing happens.
 * @returns whether it was done
 */
export function preferThisThread(): boolean {
  try {
    // A synchronous call is answered for the thread that makes it: `PID/task/TID`.
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(thread, NICE);
    return true;
  } catch {
    return false;
  }
}
