import type { AppLink } from './app-link.ts';

/** Which applications take which methods; requests outside a dialog go round robin over them. */
export class Routes {
  /** Method → its applications, the next one first. Methods are case-sensitive (RFC 3261 §7.1), verbs are not. */
  readonly #byMethod = new Map<string, AppLink[]>();

  /** Asking twice changes nothing: drachtio-srf repeats all its routes when one is added. */
  add(verb: string, app: AppLink): void {
    const method = verb.toUpperCase();
    const apps = this.#byMethod.get(method) ?? [];
    if (!apps.includes(app)) apps.push(app);
    this.#byMethod.set(method, apps);
  }

  remove(verb: string, app: AppLink): void {
    const method = verb.toUpperCase();
    const left = (this.#byMethod.get(method) ?? []).filter((other) => other !== app);
    if (left.length === 0) this.#byMethod.delete(method);
    else this.#byMethod.set(method, left);
  }

  removeAll(app: AppLink): void {
    for (const verb of [...this.#byMethod.keys()]) this.remove(verb, app);
  }

  next(method: string): AppLink | undefined {
    const apps = this.#byMethod.get(method);
    const app = apps?.shift();
    if (app !== undefined) apps?.push(app);
    return app;
  }
}
