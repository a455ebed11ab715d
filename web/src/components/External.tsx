/** A link that leaves the studio: opens beside it, and tells the other side nothing about this page. */
import type { ComponentChildren } from "preact";
import { Icon } from "./Icon";

export function External({
  href,
  class: className,
  children,
}: {
  href: string;
  class?: string;
  children?: ComponentChildren;
}) {
  // Records are data: only web addresses become links.
  if (!/^https?:\/\//.test(href)) return <span title={href}>{children ?? href}</span>;
  return (
    <a href={href} class={className} target="_blank" rel="noopener noreferrer">
      {children ?? href.replace(/^https?:\/\//, "")}
      <Icon name="link" size={13} />
    </a>
  );
}
