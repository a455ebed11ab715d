/** A fault in one page leaves the bar usable and says so in place. */
import { Component, type ComponentChildren } from "preact";
import { asApiError } from "../api";
import { ErrorState } from "./states";

export class Boundary extends Component<{ children: ComponentChildren }, { error: unknown }> {
  override state = { error: null as unknown };

  static override getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return <ErrorState error={asApiError(this.state.error)} retry={() => location.reload()} />;
  }
}
