export const ms = (value: number): string => value.toFixed(1);
export const percent = (share: number): string =>
  `${(share * 100).toFixed(share > 0 && share < 0.001 ? 3 : 1)} %`;
export const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

/** A Markdown table. */
export function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** A line of a list of aims. */
export const aim = (what: string, met: boolean): string => `- ${what}: ${met ? 'met' : 'not met'}`;
