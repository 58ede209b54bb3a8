import { lookup } from 'node:dns/promises';
import { BlockList, isIPv4 } from 'node:net';
import { parseArgs } from 'node:util';
import { OptionError, wholeNumber } from './options.ts';

/** What the load kit does. */
export interface KitOptions {
  /** Where the calls go: an IPv4 address and port. */
  target: string;
  transport: 'udp' | 'tcp';
  calls: number;
  perSecond: number;
  callSeconds: number;
  /** User parts that are called in turn; empty: sessions are made. */
  users: string[];
  auth: { user: string; password: string } | undefined;
  /** Of the gateway's REST API, which tells of the calls; an empty key: of its metrics alone. */
  api: { apiUrl: string; apiKey: string } | undefined;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);

/**
 * Reads `--target 127.0.0.1:5060 --calls 100 --rate 10 --seconds 10 --transport udp|tcp`, who is called: `--api URL --key sk_…`
 * for a session for each call, or `--to test` or `--to sess_…,sess_…`; `--user NAME --password WORD` where the gateway
 * asks for them.
 * @throws OptionError, also when another machine would be called without `--other-machine`
 */
export async function readKitOptions(args: string[]): Promise<KitOptions> {
  const { values } = parseArgs({
    args,
    options: {
      target: { type: 'string' },
      calls: { type: 'string', default: '100' },
      rate: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '10' },
      transport: { type: 'string', default: 'udp' },
      api: { type: 'string' },
      key: { type: 'string', default: '' },
      to: { type: 'string', default: '' },
      user: { type: 'string' },
      password: { type: 'string', default: '' },
      'other-machine': { type: 'boolean', default: false },
    },
  });
  const { transport, api, key, user, password } = values;
  if (transport !== 'udp' && transport !== 'tcp')
    throw new OptionError(`--transport: found ${transport}; allowed: udp, tcp`);
  const users = values.to.split(',').filter((one) => one !== '');
  if (users.length === 0 && (api === undefined || key === ''))
    throw new OptionError('who is called? --api URL and --key KEY make sessions; --to names what is there');
  const isElsewhereAllowed = values['other-machine'];
  const apiUrl = api?.replace(/\/+$/, '');
  if (apiUrl !== undefined) await addressOf('api', hostOf(apiUrl), isElsewhereAllowed);
  return {
    target: await targetOf(values.target, isElsewhereAllowed),
    transport,
    calls: wholeNumber('calls', values.calls, 1, 10_000),
    perSecond: wholeNumber('rate', values.rate, 1, 500),
    callSeconds: wholeNumber('seconds', values.seconds, 1, 3600),
    users,
    auth: user === undefined ? undefined : { user, password },
    api: apiUrl === undefined ? undefined : { apiUrl, apiKey: key },
  };
}

async function targetOf(text: string | undefined, isElsewhereAllowed: boolean): Promise<string> {
  const [, host = '', port = ''] = /^([^:\s]+):(\d+)$/.exec(text ?? '') ?? [];
  if (host === '')
    throw new OptionError(`--target: found ${text}; allowed: host:port, such as 127.0.0.1:5060`);
  return `${await addressOf('target', host, isElsewhereAllowed)}:${wholeNumber('target', port, 1, 65_535)}`;
}

function hostOf(url: string): string {
  if (!URL.canParse(url))
    throw new OptionError(`--api: found ${url}; allowed: a URL, such as http://127.0.0.1:8080`);
  return new URL(url).hostname;
}

/** @returns the IPv4 address that is behind a name */
async function addressOf(option: string, host: string, isElsewhereAllowed: boolean): Promise<string> {
  const address = isIPv4(host)
    ? host
    : await lookup(host, 4).then(
        (found) => found.address,
        () => undefined,
      );
  if (address === undefined) throw new OptionError(`--${option}: ${host} has no IPv4 address`);
  if (isElsewhereAllowed || loopback.check(address)) return address;
  throw new OptionError(
    `--${option}: ${host} (${address}) is not this machine. Calls go to another one only with --other-machine; do so only where its owner knows of it`,
  );
}
