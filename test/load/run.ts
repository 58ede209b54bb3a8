/**
 * `npm run load` measures calls, `npm run load -- media` their audio beside a program in C,
 * `npm run load -- dialects` what each kind of pipeline and of party costs,
 * `npm run load -- sip` what their set-up costs, `npm run load -- bridge` two parties whose
 * pipeline is restarted, `npm run load -- api` the REST API beside calls, `npm run load -- overload` calls that are up
 * while far more are offered than the machine can take, `npm run load -- kit` sends SIPp's calls to any gateway. The rest
 * are options.
 */
const commands = ['api', 'bridge', 'dialects', 'kit', 'media', 'overload', 'sip'];
const [what = ''] = process.argv.slice(2);
if (commands.includes(what)) {
  process.argv.splice(2, 1);
  await import(`./${what}.ts`);
} else {
  await import('./load.ts');
}
