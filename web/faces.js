// Faces, by CenterFace (https://github.com/Star-Clouds/CenterFace): as src/deeppose/boxes/face_detector.py.

import { roundEven } from "./crop.js";

/** @import { Photo } from "./crop.js" */
/** @import { Face } from "./people.js" */
/** Maps of a quarter of the input's size: how sure a face is there, its height and width, its offset.
 * @typedef {{heat: Float32Array, scale: Float32Array, offset: Float32Array}} Maps */

const THRESHOLD = 0.4;
const LONGER_SIDE = 480;
const MULTIPLE = 32;
const STRIDE = 4;
const OVERLAP = 0.3;
const FIXED_POINT = 2048;

/**
 * The faces, the most confident first.
 * @param {Photo} photo
 * @param {(input: Float32Array, width: number, height: number) => Promise<Maps>} network
 * @param {number} most the most pixels of the photo's longer side that are kept
 * @returns {Promise<Face[]>}
 */
export async function findFaces(photo, network, most) {
  const longer = Math.max(photo.width, photo.height);
  const scale = Math.max(LONGER_SIDE, Math.min(longer, most)) / longer;
  const [width, height] = [photo.width, photo.height].map(
    (side) => Math.ceil(Math.max(1, roundEven(side * scale)) / MULTIPLE) * MULTIPLE,
  );
  const maps = await network(resized(photo, width, height), width, height);
  const [scaleX, scaleY] = [width / photo.width, height / photo.height];
  return kept(decoded(maps, width, height))
    .map(({ left, top, right, bottom, score }) => ({
      // The network counts from the image's edge, half a pixel before the first column's centre.
      box: [
        ((left + right) / scaleX - 1) / 2,
        ((top + bottom) / scaleY - 1) / 2,
        (right - left) / scaleX,
        (bottom - top) / scaleY,
      ],
      score,
    }))
    .sort((a, b) => b.score - a.score || a.box[0] - b.box[0]);
}

/** Bilinear, without averaging, as OpenCV does it in fixed-point numbers; red, green, blue one after the other.
 * @param {Photo} photo @param {number} width @param {number} height */
function resized({ data, width: sourceWidth, height: sourceHeight }, width, height) {
  const result = new Float32Array(3 * width * height);
  const columns = places(sourceWidth, width);
  places(sourceHeight, height).forEach(([y, nextY, up, down], row) => {
    columns.forEach(([x, nextX, left, right], column) => {
      for (let channel = 0; channel < 3; channel++) {
        const across = (/** @type {number} */ v) =>
          (data[(v * sourceWidth + x) * 4 + channel] * left + data[(v * sourceWidth + nextX) * 4 + channel] * right) >>
          4;
        const sum = ((across(y) * up) >> 16) + ((across(nextY) * down) >> 16);
        result[(channel * height + row) * width + column] = (sum + 2) >> 2;
      }
    });
  });
  return result;
}

/** For each target pixel the two that it lies between, and their shares. @param {number} source @param {number} target */
function places(source, target) {
  return Array.from({ length: target }, (_, index) => {
    const place = Math.min(Math.max(Math.fround((index + 0.5) / (target / source) - 0.5), 0), source - 1);
    const first = Math.floor(place);
    const shares = [1 - place + first, place - first].map((share) => roundEven(share * FIXED_POINT));
    return [first, Math.min(first + 1, source - 1), ...shares];
  });
}

/** @typedef {{left: number, top: number, right: number, bottom: number, score: number}} Found */

/** @param {Maps} maps @param {number} width @param {number} height @returns {Found[]} */
function decoded({ heat, scale, offset }, width, height) {
  const columns = width / STRIDE;
  const cells = columns * (height / STRIDE);
  const found = [];
  for (let cell = 0; cell < cells; cell++) {
    if (!(heat[cell] > THRESHOLD)) continue;
    const [high, wide] = [scale[cell], scale[cells + cell]].map((size) => Math.exp(size) * STRIDE);
    /** @param {number} index @param {number} off @param {number} side @param {number} most */
    const start = (index, off, side, most) => Math.min(Math.max(0, (index + off + 0.5) * STRIDE - side / 2), most);
    const left = start(cell % columns, offset[cells + cell], wide, width);
    const top = start(Math.floor(cell / columns), offset[cell], high, height);
    found.push({
      left,
      top,
      right: Math.min(left + wide, width),
      bottom: Math.min(top + high, height),
      score: heat[cell],
    });
  }
  return found;
}

/** Of faces that overlap the most confident. @param {Found[]} found */
function kept(found) {
  /** @type {Found[]} */
  const result = [];
  const area = (/** @type {Found} */ face) => (face.right - face.left) * (face.bottom - face.top);
  for (const face of found.sort((a, b) => b.score - a.score)) {
    const overlaps = result.some((other) => {
      const wide = Math.min(face.right, other.right) - Math.max(face.left, other.left);
      const high = Math.min(face.bottom, other.bottom) - Math.max(face.top, other.top);
      const shared = Math.max(0, wide) * Math.max(0, high);
      return shared / (area(face) + area(other) - shared) >= OVERLAP;
    });
    if (!overlaps) result.push(face);
  }
  return result;
}
