/** How many attempts run at once, so that no slow receiver and no organization takes the room of all others. */
const MOST = { inAll: 64, perOrganization: 16, perEndpoint: 4 } as const;

/** A delivery that could go now. */
export interface Candidate {
  id: string;
  endpointId: string;
  organizationId: string;
}

/** What runs now, and who has no room left. */
export interface Busy {
  free: number;
  running: readonly Candidate[];
  deliveries: ReadonlySet<string>;
  endpoints: ReadonlySet<string>;
  organizations: ReadonlySet<string>;
}

export function busyWith(running: readonly Candidate[]): Busy {
  const perEndpoint = counts(running, 'endpointId');
  const perOrganization = counts(running, 'organizationId');
  return {
    free: MOST.inAll - running.length,
    running,
    deliveries: new Set(running.map(({ id }) => id)),
    endpoints: full(perEndpoint, MOST.perEndpoint),
    organizations: full(perOrganization, MOST.perOrganization),
  };
}

/** Those of the candidates, first come first served, that there is room for. */
export function chooseDue(candidates: readonly Candidate[], { running, free }: Busy): Candidate[] {
  const perEndpoint = counts(running, 'endpointId');
  const perOrganization = counts(running, 'organizationId');
  const chosen: Candidate[] = [];
  for (const one of candidates) {
    const [endpoint, organization] = [
      perEndpoint.get(one.endpointId) ?? 0,
      perOrganization.get(one.organizationId) ?? 0,
    ];
    if (chosen.length >= free || endpoint >= MOST.perEndpoint || organization >= MOST.perOrganization)
      continue;
    perEndpoint.set(one.endpointId, endpoint + 1);
    perOrganization.set(one.organizationId, organization + 1);
    chosen.push(one);
  }
  return chosen;
}

function counts(running: readonly Candidate[], by: 'endpointId' | 'organizationId'): Map<string, number> {
  const found = new Map<string, number>();
  for (const one of running) found.set(one[by], (found.get(one[by]) ?? 0) + 1);
  return found;
}

const full = (found: ReadonlyMap<string, number>, most: number): Set<string> =>
  new Set([...found].filter(([, count]) => count >= most).map(([name]) => name));
