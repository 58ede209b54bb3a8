/** `npm run load` measures calls; `npm run load -- api` measures the REST API beside calls. The rest are options. */
if (process.argv[2] === 'api') {
  process.argv.splice(2, 1);
  await import('./api.ts');
} else {
  await import('./load.ts');
}
