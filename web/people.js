// Who is in a photo: boxes about faces, the full image and windows, each kept by what the cascade makes of it.
// As src/deeppose/deploy/people.py.

import { diameter, distance, initial, recropped, remaining, SMALLEST_DIAMETER } from "./cascade.js";
import { roundEven } from "./crop.js";

/** @import { Estimate, Stage } from "./cascade.js" */
/** @import { Box, Photo } from "./crop.js" */
/** How people of one skeleton are found, from people.json.
 * @typedef {{search: number, face_boxes: number[][] | null, windows: number[][], enlarged: number | null, least: number,
 *   least_unseen: number, apart: number, logistic: {first: number[], last: number[]}}} Finding */
/** @typedef {{box: Box, score: number}} Face */
/** @typedef {{box: Box, face: Face | null, score: number, confidences: number[], stages: Estimate[]}} Person */
/** @typedef {{box: Box, group: number, face: Face | null, first: Estimate, score: number}} Candidate */
/** Somebody after stage 1. @typedef {Candidate & {confidences: number[]}} Seen */

const MOST_FACES = 16;
const MOST_TRIED = 8;
const FACE_PARTS = 8;
const SMALLEST_SPREAD = 1e-6;

/**
 * The probability that each joint is within 0.2 pose diameters of its place, from its spread.
 * @param {number[]} spreads @param {number[]} logistic intercept and slope
 */
export function confidences(spreads, [intercept, slope]) {
  return spreads.map(
    (spread) => 1 / (1 + Math.exp(-(intercept + slope * Math.log(Math.max(spread, SMALLEST_SPREAD))))),
  );
}

/**
 * The people after stage 1, the most confident first.
 * @param {Stage[]} stages @param {Photo} photo @param {Face[]} faces the most confident first
 * @param {Finding} finding @returns {Promise<Seen[]>}
 */
export async function findPeople(stages, photo, faces, finding) {
  const rule = stages[0].description.initial_box ?? { kind: "image" };
  const found = faces.slice(0, MOST_FACES).map(({ box, score }) => ({ box: rounded(box, FACE_PARTS), score }));
  const tried = candidateBoxes(rule, photo, found, finding);
  if (tried.length === 0) return [];
  /** @param {{box: Box, group: number, face: Face | null}[]} some @returns {Promise<Candidate[]>} */
  const judged = async (some) => {
    const firsts = await initial(
      stages[0],
      photo,
      some.map(({ box }) => box),
    );
    return some.map((one, index) => {
      const sure = confidences(firsts[index].spreads, finding.logistic.first);
      return { ...one, first: firsts[index], score: scoreOf(sure) };
    });
  };
  const pairs = stages[0].description.diameter;
  let candidates = await judged(tried);
  if (finding.enlarged !== null) {
    const factor = finding.enlarged;
    const promising = distinct(candidates, finding, pairs).slice(0, MOST_TRIED);
    const again = promising.map((one) => ({ ...one, box: rounded(boxAround(one.first, factor), 1) }));
    candidates = [...candidates, ...(await judged(again))];
  }
  return distinct(candidates, finding, pairs)
    .filter(({ face, score }) => score >= (face ? finding.least : finding.least_unseen))
    .sort((a, b) => b.score - a.score)
    .map((one) => ({ ...one, confidences: confidences(one.first.spreads, finding.logistic.first) }));
}

/**
 * The people after all stages.
 * @param {Stage[]} stages @param {Photo} photo @param {Seen[]} seen @param {Finding} finding
 */
export async function refinePeople(stages, photo, seen, finding) {
  const pairs = stages[0].description.diameter;
  /** @type {Person[]} */
  const people = [];
  const judged = [];
  for (const { box, face, first } of seen) {
    const again = await recropped(stages[0], photo, first);
    judged.push({ box, face, first: again, score: scoreOf(confidences(again.spreads, finding.logistic.first)) });
  }
  for (const { box, face, score, first } of judged.sort((a, b) => b.score - a.score)) {
    const estimates = await remaining(stages, photo, [first], box);
    // Poses that were apart after stage 1 may be of one person after the last.
    const [last, others] = [
      estimates[estimates.length - 1],
      people.map((other) => other.stages[other.stages.length - 1]),
    ];
    if (others.some((other) => apart(last, other, pairs) < finding.apart)) continue;
    people.push({ box, face, score, confidences: lastConfidences(estimates, finding), stages: estimates });
  }
  return people;
}

/** The mean confidence of the surer half of the joints. @param {number[]} sure */
function scoreOf(sure) {
  const surer = [...sure].sort((a, b) => a - b).slice(Math.floor(sure.length / 2));
  return surer.reduce((sum, value) => sum + value) / surer.length;
}

/**
 * The best box of each group, but for those whose pose lies on a better one; groups with a face go first.
 * @param {Candidate[]} candidates @param {Finding} finding @param {[number, number][]} pairs
 */
function distinct(candidates, finding, pairs) {
  /** @type {Candidate[]} */
  const kept = [];
  for (const one of bestOfEach(candidates).sort((a, b) => Number(!a.face) - Number(!b.face) || b.score - a.score)) {
    if (kept.every((other) => apart(one.first, other.first, pairs) >= finding.apart)) kept.push(one);
  }
  return kept;
}

/** @param {Estimate[]} estimates @param {Finding} finding */
export function lastConfidences(estimates, finding) {
  const last = estimates[estimates.length - 1];
  return confidences(last.spreads, finding.logistic[estimates.length > 1 ? "last" : "first"]);
}

/**
 * Boxes of the kind that stage 1 was trained on; those of a group are of one face, or of the image.
 * @param {{kind: string, scale?: number}} rule @param {Photo} photo @param {Face[]} faces @param {Finding} finding
 */
function candidateBoxes({ kind, scale = 1 }, { width, height }, faces, finding) {
  /** @type {{box: Box, group: number, face: Face | null}[]} */
  const tried = [];
  if (kind === "image") {
    const all = [[(width - 1) / 2, (height - 1) / 2, width, height], ...allOver(finding.windows, width, height)];
    tried.push(...all.map((box, index) => ({ box, group: -1 - index, face: null })));
  }
  faces.forEach((face, group) => {
    const [x, y, w, h] = face.box;
    const side = Math.sqrt(w * h);
    const boxes =
      kind === "face"
        ? [[x, y, w * scale, h * scale]]
        : (finding.face_boxes ?? []).map(([above, wide, high]) => [
            x,
            y + (high / 2 - above) * side,
            wide * side,
            high * side,
          ]);
    tried.push(...boxes.map((box) => ({ box, group, face })));
  });
  return tried;
}

/**
 * Windows all over a photo, half of each beside the next.
 * @param {number[][]} windows height in heights of the photo, width in their own heights
 * @param {number} width @param {number} height
 */
function allOver(windows, width, height) {
  return windows.flatMap(([high, wide]) => {
    const [w, h] = [Math.min(high * height * wide, width), Math.min(high * height, height)];
    const [across, down] = [
      [width, w],
      [height, h],
    ].map(([side, part]) => {
      const steps = Math.ceil((side - part) / (part / 2) - 1e-9);
      return Array.from(
        { length: steps + 1 },
        (_, step) => part / 2 + (steps ? (step * (side - part)) / steps : 0) - 0.5,
      );
    });
    return down.flatMap((y) => across.map((x) => [x, y, w, h]));
  });
}

/** The first of the highest score in each group, by group. @param {Candidate[]} candidates */
function bestOfEach(candidates) {
  /** @type {Map<number, Candidate>} */
  const best = new Map();
  for (const one of candidates) {
    const other = best.get(one.group);
    if (!other || one.score > other.score) best.set(one.group, one);
  }
  return [...best.values()];
}

/** A box in so many parts of a pixel: other last digits, by another runtime, then give the same crops.
 * @param {Box} box @param {number} parts @returns {Box} */
function rounded(box, parts) {
  return box.map((value) => roundEven(value * parts) / parts);
}

/** The rectangle around a pose, its sides times a factor. @param {Estimate} estimate @param {number} factor @returns {Box} */
function boxAround({ pose }, factor) {
  const [xs, ys] = [0, 1].map((axis) => pose.map((joint) => joint[axis]));
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const sides = [right - left, bottom - top].map((side) => Math.max(side, SMALLEST_DIAMETER) * factor);
  return [(left + right) / 2, (top + bottom) / 2, ...sides];
}

/** The mean distance between two poses' joints, in diameters of the smaller one.
 * @param {Estimate} one @param {Estimate} other @param {[number, number][]} pairs */
function apart(one, other, pairs) {
  const sum = one.pose.reduce((total, joint, index) => total + distance(joint, other.pose[index]), 0);
  const smaller = Math.min(diameter(one.pose, pairs), diameter(other.pose, pairs));
  return sum / one.pose.length / Math.max(smaller, SMALLEST_DIAMETER);
}
