// Networks by ONNX Runtime Web. Its files and the networks lie packed beside the page.

import * as ort from "./ort/ort.wasm.min.mjs";

/** @import { Description, Point, Stage } from "./cascade.js" */

const MOST_THREADS = 4;
const PLANES = 4; // As src/deeppose/deploy/web.py packs networks.

/** @param {string} path beside this file @returns {Promise<Uint8Array>} */
async function unpacked(path) {
  const answer = await fetch(new URL(path, import.meta.url));
  if (!answer.ok) throw new Error(`${path} can't be loaded (${answer.status}): make the page's folder again`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  // Some servers say that a .gz is a compressed file of another kind, and the browser has unpacked it already.
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Loads ONNX Runtime itself: with threads where the page is isolated from other sites. */
async function start() {
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1;
  ort.env.wasm.wasmPaths = { mjs: new URL("./ort/ort-wasm-simd-threaded.mjs", import.meta.url).href };
  ort.env.wasm.wasmBinary = await unpacked("./ort/ort-wasm-simd-threaded.wasm.gz");
}
const ready = start();

/** @param {string} path */
async function session(path) {
  const [packed] = await Promise.all([unpacked(path), ready]);
  const network = new Uint8Array(packed.length);
  for (let plane = 0, from = 0; plane < PLANES; plane++) {
    for (let at = plane; at < network.length; at += PLANES) network[at] = packed[from++];
  }
  return ort.InferenceSession.create(network, { executionProviders: ["wasm"], logSeverityLevel: 3 });
}

/** A stage whose network is loaded when it is wanted first. @param {string} path @param {Description} description @returns {Stage} */
export function stageOf(path, description) {
  /** @type {Promise<ort.InferenceSession> | undefined} */
  let network;
  const load = () => (network ??= session(path));
  const size = description.input.shape[1];
  const joints = description.joints.length;
  return {
    description,
    load,
    async run(crops, count) {
      const found = await (await load()).run({ crops: new ort.Tensor("uint8", crops, [count, size, size, 3]) });
      return Array.from({ length: count }, (_, index) => ({
        joints: points(numbers(found.joints), index * joints, joints),
        variances: points(numbers(found.variances), index * joints, joints),
        maps: maps(numbers(found.maps), index, count, joints),
      }));
    },
  };
}

/** @param {ort.Tensor} tensor */
const numbers = ({ data }) => /** @type {Float32Array} */ (data);

/** @param {Float32Array} values @param {number} first @param {number} count @returns {Point[]} */
function points(values, first, count) {
  return Array.from({ length: count }, (_, index) => [values[(first + index) * 2], values[(first + index) * 2 + 1]]);
}

/** Those of one crop. @param {Float32Array} values of all @param {number} index @param {number} count of crops @param {number} joints */
function maps(values, index, count, joints) {
  const cells = values.length / count / joints;
  // Copies: what is sent to the page takes all of its buffer along.
  return Array.from({ length: joints }, (_, joint) =>
    values.slice((index * joints + joint) * cells, (index * joints + joint + 1) * cells),
  );
}

/** CenterFace, as faces.js calls it. @param {string} path */
export async function openFaces(path) {
  const network = await session(path);
  return async (/** @type {Float32Array} */ input, /** @type {number} */ width, /** @type {number} */ height) => {
    const found = await network.run({ "input.1": new ort.Tensor("float32", input, [1, 3, height, width]) });
    return { heat: numbers(found["537"]), scale: numbers(found["538"]), offset: numbers(found["539"]) };
  };
}
