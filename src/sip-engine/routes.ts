import type { AppLink } from './app-link.ts';

/** Which applications take which methods; requests outside a dialog go round robin over them. */
export class Routes {
  /** Lower-case method → its applications, the next one first. */
  readonly #byVerb = new Map<string, AppLink[]>();

  /** Asking twice changes nothing: drachtio-srf repeats all its routes when one is added. */
  add(verb: string, app: AppLink): void {
    const apps = this.#byVerb.get(verb) ?? [];
    if (!apps.includes(app)) apps.push(app);
    this.#byVerb.set(verb, apps);
  }

  remove(verb: string, app: AppLink): void {
    const left = (this.#byVerb.get(verb) ?? []).filter((other) => other !== app);
    if (left.length === 0) this.#byVerb.delete(verb);
    else this.#byVerb.set(verb, left);
  }

  removeAll(app: AppLink): void {
    for (const verb of [...this.#byVerb.keys()]) this.remove(verb, app);
  }

  next(method: string): AppLink | undefined {
    const apps = this.#byVerb.get(method.toLowerCase());
    const app = apps?.shift();
    if (app !== undefined) apps?.push(app);
    return app;
  }
}
