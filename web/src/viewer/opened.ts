/** An OpenSeadragon viewer as the stage wants it: no controls and no keys of its own. */

import OpenSeadragon from "openseadragon";
import type { ItemDetail } from "../types";
import { tileSource } from "./levels";
import { degrees } from "./plane";
import { turnOf } from "./registered";

/** Open an item's slide in an element. */
export function openViewer(element: HTMLElement, item: ItemDetail): OpenSeadragon.Viewer {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const viewer = OpenSeadragon({
    element,
    degrees: degrees(turnOf(item)),
    tileSources: [tileSource(item, item.slide)],
    // Its 2D drawer is the fastest without a GPU, and leaves WebGL contexts (few per page) to the observations.
    drawer: "canvas",
    showNavigationControl: false,
    animationTime: still ? 0.01 : 0.45,
    springStiffness: 9,
    zoomPerScroll: 1.25,
    minZoomImageRatio: 0.5,
    maxZoomPixelRatio: 12,
    visibilityRatio: 0.25,
    preserveImageSizeOnResize: true,
    imageLoaderLimit: 6,
    maxImageCacheCount: 300,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    gestureSettingsTouch: { clickToZoom: false },
    gestureSettingsPen: { clickToZoom: false },
  } as OpenSeadragon.Options);
  // The stage has its own keys, and its own place in the tab order.
  viewer.addHandler("canvas-key", (event) => {
    (event as unknown as { preventDefaultAction: boolean }).preventDefaultAction = true;
  });
  for (const inner of element.querySelectorAll<HTMLElement>("[tabindex]")) {
    inner.tabIndex = -1;
  }
  return viewer;
}
