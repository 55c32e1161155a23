// What is drawn over the photo.

/** @import { Point } from "./cascade.js" */
/** @import { Box, Photo } from "./crop.js" */
/** @typedef {{ends: [number, number], colour: string}} Limb */

const MOST_PIXELS_WIDE = 1600;
const LEAST_PIXELS_WIDE = 640;
const SURE = 0.5; // Joints of a lower confidence are hollow.

/** Side of a map in sides of the crop, as in src/deeppose/networks/spatial.py. */
export const REACH = 1.5;

/** A picture of a map: red to yellow where the joint is likely, clear elsewhere. @param {Float32Array} map */
export function heatOf(map) {
  const cells = Math.sqrt(map.length);
  const most = map.reduce((highest, share) => Math.max(highest, share));
  const image = new ImageData(cells, cells);
  for (const [cell, share] of map.entries()) {
    image.data.set([255, (255 * share) / most, 0, 230 * Math.sqrt(share / most)], cell * 4);
  }
  const drawn = new OffscreenCanvas(cells, cells);
  /** @type {OffscreenCanvasRenderingContext2D} */ (drawn.getContext("2d")).putImageData(image, 0, 0);
  return drawn;
}

/** A canvas with a photo in it. Places are the photo's pixels. */
export class View {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.scale = 1;
    /** @type {CanvasImageSource | null} */
    this.photo = null;
  }

  /** @param {CanvasImageSource} photo @param {number} width @param {number} height */
  show(photo, width, height) {
    const longer = Math.max(width, height);
    this.scale = Math.min(MOST_PIXELS_WIDE / longer, Math.max(1, LEAST_PIXELS_WIDE / longer));
    this.canvas.width = Math.max(1, Math.round(width * this.scale));
    this.canvas.height = Math.max(1, Math.round(height * this.scale));
    this.photo = photo;
    this.canvas.classList.remove("empty");
    this.clear();
  }

  clear() {
    const { canvas, context, photo } = this;
    if (photo) context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  }

  /** Lines as wide on the screen, whatever the canvas is shown at. */
  get unit() {
    return this.canvas.width / (this.canvas.clientWidth || this.canvas.width);
  }

  /** Where a pointer is, in the photo. @param {PointerEvent} event @returns {Point} */
  place(event) {
    const around = this.canvas.getBoundingClientRect();
    const along = (event.clientX - around.left) / around.width;
    const down = (event.clientY - around.top) / around.height;
    return [(along * this.canvas.width) / this.scale - 0.5, (down * this.canvas.height) / this.scale - 0.5];
  }

  /** Pixels of the photo that so many on the screen are. @param {number} pixels */
  reach(pixels) {
    return (pixels * this.unit) / this.scale;
  }

  /** @param {Point} point @returns {Point} */
  at([x, y]) {
    return [(x + 0.5) * this.scale, (y + 0.5) * this.scale];
  }

  /** A line in a colour, on black unless it is thin. @param {Path2D} path @param {string} colour @param {number} width @param {number[]} [dash] */
  stroke(path, colour, width, dash = []) {
    const { context, unit } = this;
    context.setLineDash(dash.map((part) => part * unit));
    context.lineCap = "round";
    for (const [ink, thick] of /** @type {[string, number][]} */ ([
      ["#000", width + 2],
      [colour, width],
    ])) {
      context.strokeStyle = ink;
      context.lineWidth = thick * unit;
      if (width >= 1 || ink === colour) context.stroke(path);
    }
  }

  /** @param {Box} box @param {string} colour @param {number} [thick] */
  box([x, y, width, height], colour, thick = 1.5) {
    const path = new Path2D();
    const [left, top] = this.at([x - width / 2, y - height / 2]);
    path.rect(left, top, width * this.scale, height * this.scale);
    this.stroke(path, colour, thick);
  }

  /** @param {Point[]} pose @param {Limb[]} limbs @param {number[] | null} sure @param {boolean} [faint] */
  pose(pose, limbs, sure, faint = false) {
    for (const { ends, colour } of limbs) {
      const path = new Path2D();
      path.moveTo(...this.at(pose[ends[0]]));
      path.lineTo(...this.at(pose[ends[1]]));
      this.stroke(path, faint ? "#bbb" : colour, faint ? 1 : 3, faint ? [4, 5] : []);
    }
    for (const [index, joint] of pose.entries()) {
      this.dot(joint, faint ? 3 : 4, !faint && (!sure || sure[index] >= SURE));
    }
  }

  /** @param {Point} joint @param {number} radius @param {boolean} full @param {string} [colour] */
  dot(joint, radius, full, colour = "#fff") {
    const path = new Path2D();
    path.arc(...this.at(joint), radius * this.unit, 0, 2 * Math.PI);
    this.stroke(path, colour, 1.5);
    this.context.fillStyle = colour;
    if (full) this.context.fill(path);
  }

  /** @param {Point} from @param {Point} to */
  arrow(from, to) {
    const [[x0, y0], [x1, y1]] = [this.at(from), this.at(to)];
    const angle = Math.atan2(y1 - y0, x1 - x0);
    const head = Math.min(9 * this.unit, Math.hypot(x1 - x0, y1 - y0));
    const path = new Path2D();
    path.moveTo(x0, y0);
    path.lineTo(x1, y1);
    for (const turn of [-0.5, 0.5]) {
      path.moveTo(x1, y1);
      path.lineTo(x1 - head * Math.cos(angle + turn), y1 - head * Math.sin(angle + turn));
    }
    this.stroke(path, "#ffe600", 2);
  }

  /** Where in and about a box a joint may be. @param {Float32Array} map @param {Box} box */
  heat(map, [x, y, width, height]) {
    const [left, top] = this.at([x - (width * REACH) / 2, y - (height * REACH) / 2]);
    this.context.drawImage(heatOf(map), left, top, width * REACH * this.scale, height * REACH * this.scale);
  }

  /** @param {string} words @param {Point} place */
  write(words, place) {
    const { context, unit } = this;
    context.font = `${14 * unit}px system-ui, sans-serif`;
    const width = context.measureText(words).width;
    const [x, y] = this.at(place);
    const left = Math.min(Math.max(x, 0), this.canvas.width - width - 8 * unit);
    const top = Math.min(Math.max(y, 0), this.canvas.height - 20 * unit);
    context.fillStyle = "#000c";
    context.fillRect(left, top, width + 8 * unit, 20 * unit);
    context.fillStyle = "#fff";
    context.fillText(words, left + 4 * unit, top + 15 * unit);
  }
}
