import { startEmbeddedPipeline } from '../../src/pipeline/embedded-pipeline.ts';

/** The embedded echo pipeline as a process of its own, so that its work does not count as the gateway's. */
const [tokenSecret = ''] = process.argv.slice(2);
const pipeline = await startEmbeddedPipeline({ behaviour: 'echo', delayMs: 0, tokenSecret });
process.send?.({ url: pipeline.url });
process.on('disconnect', () => process.exit(0));
