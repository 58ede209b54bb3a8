import { Session } from 'node:inspector/promises';

/**
 * Runs a piece of JavaScript inside a worker thread of this process, by the debugger's way: faults that no message to
 * the thread can bring about.
 * @param name of the thread, as the `name` option of `Worker` gave it
 * @throws Error when there is no such thread
 */
export async function runInsideWorker(name: string, expression: string): Promise<void> {
  const session = new Session();
  session.connect();
  try {
    let id: string | undefined;
    session.on('NodeWorker.attachedToWorker', ({ params: { sessionId, workerInfo } }) => {
      if (workerInfo.title.endsWith(` ${name}`)) id = sessionId;
    });
    // Tells of every thread before it is answered.
    await session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
    if (id === undefined) throw new Error(`there is no thread ${name}`);
    const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } });
    await session.post('NodeWorker.sendMessageToWorker', { sessionId: id, message });
  } finally {
    session.disconnect();
  }
}
