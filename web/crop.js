// N(x; b) of §3: the part of a photo that a box covers, at the network's input size.
// Pixel for pixel what src/deeppose/cascade/crops.py does with OpenCV, to about a level.

/** RGBA, as of ImageData. @typedef {{data: Uint8ClampedArray, width: number, height: number}} Photo */
/** Centre x, centre y, width, height, pixels; 0 is the first pixel's centre. @typedef {number[]} Box */

const SUBPIXELS = 32; // OpenCV interpolates between places so many to a pixel.
const FIXED_POINT = 1024;

/** As Python rounds: halves to the even number. @param {number} value */
export function roundEven(value) {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/**
 * Cut `box` out of `photo` and bring it to `size` × `size`, averaged first where that shrinks it.
 * @param {Photo} photo
 * @param {Box} box may reach beyond the photo
 * @param {number} size
 * @param {number[]} padding the colour of what lies outside
 * @returns {Uint8Array} size × size × 3, RGB
 */
export function crop(photo, box, size, padding) {
  const [centreX, centreY, width, height] = box;
  const left = centreX - width / 2;
  const top = centreY - height / 2;
  const [marginX, marginY] = [width / size + 1, height / size + 1];
  const x0 = Math.max(0, Math.floor(left - marginX));
  const y0 = Math.max(0, Math.floor(top - marginY));
  const x1 = Math.min(photo.width, Math.ceil(left + width + marginX) + 1);
  const y1 = Math.min(photo.height, Math.ceil(top + height + marginY) + 1);
  if (x0 >= x1 || y0 >= y1) return filled(size, padding);

  const columns = Math.min(x1 - x0, Math.max(1, roundEven(((x1 - x0) * size) / width)));
  const rows = Math.min(y1 - y0, Math.max(1, roundEven(((y1 - y0) * size) / height)));
  const region = shrunk(photo, [x0, y0, x1, y1], columns, rows);
  const [scaleX, scaleY] = [columns / (x1 - x0), rows / (y1 - y0)];
  // From the crop's pixel u to the region's: (left + (u + ½)·width/size − x0)·scale − ½.
  const [stepX, stepY] = [(width / size) * scaleX, (height / size) * scaleY];
  const firstX = (left + 0.5 - x0) * scaleX + 0.5 * stepX - 0.5;
  const firstY = (top + 0.5 - y0) * scaleY + 0.5 * stepY - 0.5;
  return sampled(region, columns, rows, [firstX, stepX, firstY, stepY], size, padding);
}

/** @param {number} size @param {number[]} colour */
function filled(size, colour) {
  return Uint8Array.from({ length: size * size * 3 }, (_, index) => colour[index % 3]);
}

/**
 * Which source pixels each target pixel averages, with their shares: OpenCV's INTER_AREA.
 * @param {number} source @param {number} target
 * @returns {{first: number, shares: Float32Array}[]}
 */
function areas(source, target) {
  const scale = source / target;
  return Array.from({ length: target }, (_, index) => {
    const [begin, end] = [index * scale, (index + 1) * scale];
    const cell = Math.min(scale, source - begin);
    const last = Math.min(Math.floor(end), source - 1);
    const whole = Math.min(Math.ceil(begin), last);
    const shares = new Array(last - whole).fill(1 / cell);
    const partly = whole - begin > 1e-3;
    if (partly) shares.unshift((whole - begin) / cell);
    if (end - last > 1e-3) shares.push(Math.min(end - last, 1, cell) / cell);
    return { first: partly ? whole - 1 : whole, shares: Float32Array.from(shares) };
  });
}

/**
 * A part of the photo, averaged down to columns × rows × 3.
 * @param {Photo} photo @param {number[]} part x0, y0, x1, y1 @param {number} columns @param {number} rows
 */
function shrunk(photo, [x0, y0, x1, y1], columns, rows) {
  const across = areas(x1 - x0, columns);
  const down = areas(y1 - y0, rows);
  const result = new Uint8Array(rows * columns * 3);
  const line = new Float32Array(columns * 3);
  const total = new Float32Array(columns * 3);
  // OpenCV has a way of its own to halve both sides.
  const round = x1 - x0 === columns * 2 && y1 - y0 === rows * 2 ? Math.round : roundEven;
  down.forEach(({ first, shares }, row) => {
    total.fill(0);
    shares.forEach((share, index) => {
      averageRow(photo, (y0 + first + index) * photo.width + x0, across, line);
      for (let at = 0; at < total.length; at++) total[at] += Math.fround(share * line[at]);
    });
    for (let at = 0; at < total.length; at++) result[row * total.length + at] = round(total[at]);
  });
  return result;
}

/** In single precision at each step, as OpenCV. @param {Photo} photo @param {number} start
 * @param {{first: number, shares: Float32Array}[]} across @param {Float32Array} line */
function averageRow({ data }, start, across, line) {
  for (let column = 0; column < across.length; column++) {
    const { first, shares } = across[column];
    for (let channel = 0; channel < 3; channel++) {
      let sum = 0;
      for (let index = 0, at = (start + first) * 4 + channel; index < shares.length; index++, at += 4) {
        sum = Math.fround(sum + Math.fround(shares[index] * data[at]));
      }
      line[column * 3 + channel] = sum;
    }
  }
}

/**
 * Bilinear, the padding outside: OpenCV's warpAffine, whose places are fixed-point numbers.
 * @param {Uint8Array} region @param {number} columns @param {number} rows
 * @param {number[]} affine first x, step x, first y, step y @param {number} size @param {number[]} padding
 */
function sampled(region, columns, rows, [firstX, stepX, firstY, stepY], size, padding) {
  const result = new Uint8Array(size * size * 3);
  const half = FIXED_POINT / SUBPIXELS / 2;
  const fixed = (/** @type {number} */ place) => roundEven(place * FIXED_POINT);
  const value = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ channel) =>
    x < 0 || y < 0 || x >= columns || y >= rows ? padding[channel] : region[(y * columns + x) * 3 + channel];
  for (let v = 0; v < size; v++) {
    const placeY = (fixed(firstY + stepY * v) + half) >> 5;
    const [y, downward] = [placeY >> 5, (placeY & 31) / SUBPIXELS];
    for (let u = 0; u < size; u++) {
      const placeX = (fixed(firstX) + half + fixed(stepX * u)) >> 5;
      const [x, onward] = [placeX >> 5, (placeX & 31) / SUBPIXELS];
      for (let channel = 0; channel < 3; channel++) {
        const above = value(x, y, channel) * (1 - onward) + value(x + 1, y, channel) * onward;
        const below = value(x, y + 1, channel) * (1 - onward) + value(x + 1, y + 1, channel) * onward;
        result[(v * size + u) * 3 + channel] = Math.floor(above * (1 - downward) + below * downward + 0.5);
      }
    }
  }
  return result;
}
