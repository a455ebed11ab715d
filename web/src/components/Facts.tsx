/** A list of facts; those without a value are left out. */
import type { ComponentChildren } from "preact";
import { Fragment } from "preact";

export type Fact = [name: string, value: ComponentChildren];

const blank = (value: ComponentChildren): boolean =>
  value === null ||
  value === undefined ||
  value === "" ||
  value === false ||
  (Array.isArray(value) && value.length === 0);

export function Facts({ facts }: { facts: Fact[] }) {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => !blank(value))
        .map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
    </dl>
  );
}
