// The cascade on one photo: stage 1 on boxes b⁰, later stages about the joints (Eq. 1, 5 to 7).
// As src/deeppose/deploy/cascade.py and core/geometry.py.

import { crop } from "./crop.js";

/** @import { Box, Photo } from "./crop.js" */
/** A point, x then y, pixels or normalised coordinates. @typedef {[number, number]} Point */
/**
 * What a network says of one crop, normalised coordinates; variances are of each joint's place on its map: how
 * likely it is in each cell, row by row.
 * @typedef {{joints: Point[], variances: Point[], maps: Float32Array[]}} Output
 */
/**
 * What came with a network's weights, see docs/export.md, and its joints of a crop that anybody can make.
 * @typedef {{stage: number, joints: string[], diameter: [number, number][], mirrored: number[],
 *   average_mirrored: boolean, padding: number[], input: {shape: [string, number, number, number]},
 *   probed: Point[], sigma?: number, smallest_box?: number, shrinkage?: number,
 *   initial_box?: {kind: string, scale?: number, recrops?: number, margin?: number}}} Description
 */
/**
 * ψ of one stage: outputs of crops that follow each other.
 * @typedef {{description: Description, load: () => Promise<unknown>,
 *   run: (crops: Uint8Array, count: number) => Promise<Output[]>}} Stage
 */
/**
 * A pose after a stage, with the boxes that its network saw: one, or one for each joint; and each joint's map.
 * @typedef {{pose: Point[], maps: Float32Array[], boxes: Box[], spreads: number[]}} Estimate
 */

const BATCH = 32;
export const SMALLEST_DIAMETER = 1; // Pixels; a pose that has shrunk to a point has none.

/** N⁻¹(y; b): back to pixels. @param {Point} point @param {Box} box @returns {Point} */
export const denormalise = ([x, y], [centreX, centreY, width, height]) => [x * width + centreX, y * height + centreY];

/** @param {Point} one @param {Point} other */
export const distance = (one, other) => Math.hypot(one[0] - other[0], one[1] - other[1]);

/**
 * diam(y): from a shoulder to the hip of the opposing side; 0 where there is none.
 * @param {Point[]} pose @param {[number, number][]} pairs
 */
export function diameter(pose, pairs) {
  return pairs.map(([start, end]) => distance(pose[start], pose[end])).find((length) => length > 0) ?? 0;
}

/**
 * The boxes of a stage s ≥ 2, squares about the joints of the pose before (Eq. 7).
 * @param {Description} description @param {Point[]} previous @param {Box} initial @returns {Box[]}
 */
export function jointBoxes({ sigma = 1, smallest_box = 0, diameter: pairs }, previous, initial) {
  const side = Math.max(sigma * diameter(previous, pairs), smallest_box * Math.min(initial[2], initial[3]));
  return previous.map(([x, y]) => [x, y, side, side]);
}

/** The poses after stage 1 (Eq. 5). @param {Stage} stage @param {Photo} photo @param {Box[]} boxes */
export async function initial(stage, photo, boxes) {
  const outputs = await outputsOf(stage, photo, boxes);
  return outputs.map(({ joints, variances, maps }, index) =>
    estimate(
      stage,
      joints.map((joint) => denormalise(joint, boxes[index])),
      variances.map((variance) => scaled(variance, boxes[index])),
      maps,
      [boxes[index]],
    ),
  );
}

/**
 * The pose when stage 1 has seen the boxes about the poses that it found, as often as its weights say.
 * @param {Stage} stage @param {Photo} photo @param {Estimate} found
 */
export async function recropped(stage, photo, found) {
  const { recrops = 0, margin = 0 } = stage.description.initial_box ?? {};
  for (let recrop = 0; recrop < recrops; recrop++) {
    [found] = await initial(stage, photo, [poseBox(found.pose, margin, photo)]);
  }
  return found;
}

/**
 * The box of whole pixels about a pose, with a margin in its longer side, cut at the photo's edges.
 * @param {Point[]} pose @param {number} margin @param {{width: number, height: number}} photo @returns {Box}
 */
export function poseBox(pose, margin, { width, height }) {
  const ends = [0, 1].map((axis) => pose.map((joint) => joint[axis])).map((at) => [Math.min(...at), Math.max(...at)]);
  const beyond = margin * Math.max(...ends.map(([low, high]) => high - low));
  const [[left, right], [top, bottom]] = ends.map(([low, high], axis) => {
    const last = [width, height][axis] - 0.5;
    const from = Math.min(Math.max(Math.floor(low - beyond + 0.5) - 0.5, -0.5), last - 1);
    return [from, Math.min(Math.max(Math.ceil(high + beyond + 0.5) - 0.5, from + 1), last)];
  });
  return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top];
}

/**
 * The pose after a stage s ≥ 2: of the crop about a joint, that joint's output alone (Eq. 6).
 * @param {Stage} stage @param {Photo} photo @param {Point[]} previous @param {Box} initialBox
 */
export async function refine(stage, photo, previous, initialBox) {
  const boxes = jointBoxes(stage.description, previous, initialBox);
  const outputs = await outputsOf(stage, photo, boxes);
  const { shrinkage = 1 } = stage.description;
  return estimate(
    stage,
    outputs.map(({ joints }, joint) => {
      const [x, y] = joints[joint];
      return denormalise([x * shrinkage, y * shrinkage], boxes[joint]);
    }),
    outputs.map(({ variances }, joint) => scaled(variances[joint], boxes[joint])),
    outputs.map(({ maps }, joint) => maps[joint]),
    boxes,
  );
}

/**
 * The estimates of all stages, going on from those that are there.
 * @param {Stage[]} stages @param {Photo} photo @param {Estimate[]} known of stages 1 and on @param {Box} box b⁰
 */
export async function remaining(stages, photo, known, box) {
  const estimates = [...known];
  if (estimates.length === 0) {
    const [first] = await initial(stages[0], photo, [box]);
    estimates.push(await recropped(stages[0], photo, first));
  }
  for (const stage of stages.slice(estimates.length)) {
    estimates.push(await refine(stage, photo, estimates[estimates.length - 1].pose, box));
  }
  return estimates;
}

/** @param {Point} variance @param {Box} box @returns {Point} */
const scaled = ([x, y], [, , width, height]) => [x * width ** 2, y * height ** 2];

/**
 * @param {Stage} stage @param {Point[]} pose @param {Point[]} variances pixels² @param {Float32Array[]} maps
 * @param {Box[]} boxes @returns {Estimate} spreads are standard deviations in diameters of the pose
 */
function estimate(stage, pose, variances, maps, boxes) {
  const size = Math.max(diameter(pose, stage.description.diameter), SMALLEST_DIAMETER);
  return { pose, maps, boxes, spreads: variances.map(([x, y]) => Math.sqrt(x + y) / size) };
}

/** @param {Stage} stage @param {Photo} photo @param {Box[]} boxes @returns {Promise<Output[]>} */
async function outputsOf(stage, photo, boxes) {
  const { input, padding, average_mirrored: averaged, mirrored } = stage.description;
  const size = input.shape[1];
  const outputs = [];
  for (let first = 0; first < boxes.length; first += BATCH) {
    const some = boxes.slice(first, first + BATCH);
    const crops = new Uint8Array(some.length * size * size * 3);
    for (const [index, box] of some.entries()) crops.set(crop(photo, box, size, padding), index * size * size * 3);
    const found = await stage.run(crops, some.length);
    if (!averaged) {
      outputs.push(...found);
      continue;
    }
    const others = await stage.run(flipped(crops, size), some.length);
    outputs.push(...found.map((output, index) => averageOf(output, others[index], mirrored)));
  }
  return outputs;
}

/** Left and right swapped in each row of each crop. @param {Uint8Array} crops @param {number} size */
function flipped(crops, size) {
  const result = new Uint8Array(crops.length);
  for (let row = 0; row < crops.length; row += size * 3) {
    for (let u = 0; u < size; u++) {
      const from = row + (size - 1 - u) * 3;
      result.set(crops.subarray(from, from + 3), row + u * 3);
    }
  }
  return result;
}

/**
 * The maps of a crop and of its mirrored copy taken together as one, with their mean and variance.
 * @param {Output} output @param {Output} other @param {number[]} mirrored @returns {Output}
 */
function averageOf(output, other, mirrored) {
  const back = mirrored.map((joint) => [-other.joints[joint][0], other.joints[joint][1]]);
  const both = (/** @type {(joint: number, axis: number) => number} */ value) =>
    output.joints.map((_, joint) => /** @type {Point} */ ([value(joint, 0), value(joint, 1)]));
  return {
    joints: both((joint, axis) => (output.joints[joint][axis] + back[joint][axis]) / 2),
    variances: both(
      (joint, axis) =>
        (output.variances[joint][axis] + other.variances[mirrored[joint]][axis]) / 2 +
        ((output.joints[joint][axis] - back[joint][axis]) / 2) ** 2,
    ),
    maps: output.maps.map((map, joint) => {
      const [cells, seen] = [Math.sqrt(map.length), other.maps[mirrored[joint]]];
      return map.map((share, at) => (share + seen[at - (at % cells) + cells - 1 - (at % cells)]) / 2);
    }),
  };
}
