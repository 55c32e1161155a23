// Networks by ONNX Runtime Web: on the GPU by WebGPU where there is one, else by WASM. Its builds and the networks
// lie packed beside the page; one build is loaded.

/** @import { Description, Point, Stage } from "./cascade.js" */
/** @import { Tensor } from "onnxruntime-web" */
/** @typedef {"webgpu" | "wasm"} Backend */
/** @typedef {{backend: Backend, ort: typeof import("onnxruntime-web")}} Runtime */
/** An input's data and shape to outputs by name.
 * @typedef {(data: Uint8Array | Float32Array, shape: number[]) => Promise<Readonly<Record<string, Tensor>>>} Run */

const MOST_THREADS = 4;
// As src/deeppose/deploy/web.py packs networks.
const [SINGLE, HALF] = [4, 2];
const WEIGHTS = "weights";
const PROBE_VALUES = 251;
const NEAR = 1e-3; // Of a box's side: how far a GPU may be off.
/** The module, and what it loads. @type {Record<Backend, [string, string]>} */
const BUILDS = {
  wasm: ["ort.wasm.min.mjs", "ort-wasm-simd-threaded"],
  // By JSPI, a third smaller than the build that does without.
  webgpu: ["ort.jspi.min.mjs", "ort-wasm-simd-threaded.jspi"],
};
const threads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1;
const byWasm = `WASM, ${threads} ${threads > 1 ? "threads" : "thread"}`;

/** Tells the page what runs the networks. @param {string} runs */
const tell = (runs) => self.postMessage({ runs });

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

/** What the page's address asks for by ?backend=, else WebGPU where there is a GPU. @returns {Promise<Backend>} */
async function chosen() {
  const asked = new URLSearchParams(self.location.search).get("backend");
  if (asked === "wasm") return asked;
  if (asked !== null && asked !== "webgpu") throw new Error(`?backend=${asked}: it is webgpu or wasm.`);
  const why = await lacking(asked === null);
  if (why && asked) throw new Error(`?backend=webgpu: ${why}. Without it, the page runs by WASM.`);
  return why ? "wasm" : "webgpu";
}

/** Why WebGPU can't be had; "" where it can. @param {boolean} real a GPU it has to be, no software in its place */
async function lacking(real) {
  if (!navigator.gpu) return "this browser has no WebGPU here";
  if (!("Suspending" in WebAssembly)) return "this browser has no JSPI";
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) return "this browser has no GPU for WebGPU";
  return real && adapter.info.isFallbackAdapter ? "there is software alone in a GPU's place" : "";
}

/** Loads one build of ONNX Runtime: with threads where the page is isolated from other sites.
 * @param {Backend} backend @param {string} [why] not the other @returns {Promise<Runtime>} */
async function start(backend, why = "") {
  const [module, name] = BUILDS[backend];
  const [ort, wasmBinary] = await Promise.all([import(`./ort/${module}`), unpacked(`./ort/${name}.wasm.gz`)]);
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = { mjs: new URL(`./ort/${name}.mjs`, import.meta.url).href };
  ort.env.wasm.wasmBinary = wasmBinary;
  tell(`${backend === "webgpu" ? `Poses by WebGPU, faces by ${byWasm}.` : `Poses and faces by ${byWasm}.`}${why}`);
  return { backend, ort };
}
let runtime = chosen().then(start);

/** Goes on without WebGPU, for good. @param {Promise<Runtime>} failed @param {unknown} error */
function leave(failed, error) {
  if (runtime !== failed) return;
  const [what] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
  runtime = start("wasm", ` WebGPU failed here: ${what}`);
}

/** @type {Promise<unknown>} */
let previousCall = Promise.resolve();
/** One after the other: two calls must not wait for the GPU at once. @template T @param {() => Promise<T>} work */
function inTurn(work) {
  const done = previousCall.then(work, work);
  previousCall = done.catch(() => {});
  return done;
}

/** A stage's weights in half precision. The file has how many such numbers each is from that of the stage before.
 * @param {string} path @param {(() => Promise<Uint16Array>) | undefined} before */
async function weightsIn(path, before) {
  const [packed, others] = await Promise.all([unpacked(path), before?.()]);
  const result = new Uint16Array(packed.length / HALF);
  for (let at = 0; at < result.length; at++) {
    const place = (packed[at] | (packed[result.length + at] << 8)) + (others ? placeOf(others[at]) : 0);
    result[at] = place & 0x8000 ? place ^ 0x8000 : ~place;
  }
  return result;
}

/** @param {number} half its bits */
const placeOf = (half) => half ^ (half & 0x8000 ? 0xffff : 0x8000);

/**
 * A network of one input, loaded when it is wanted first; anew where WebGPU was left since.
 * @param {() => Promise<[Uint8Array, Uint16Array?]>} read itself, and its weights if they aren't in it
 * @param {"uint8" | "float32"} type
 * @param {((run: Run) => Promise<void>) | null} check throws where a GPU answers otherwise than it should; null: by WASM
 */
function networkOf(read, type, check) {
  /** @type {ReturnType<typeof opened> | undefined} */
  let network;
  const load = () => (network ??= opened(read, type, check));
  /** @type {Run} */
  const run = async (data, shape) => {
    if ((await load()).from !== runtime) network = undefined;
    const { from, run: once } = await load();
    return inTurn(() => once(data, shape)).catch(async (error) => {
      if ((await from).backend === "wasm") throw error;
      leave(from, error);
      return run(data, shape);
    });
  };
  return { load, run };
}

/**
 * @param {() => Promise<[Uint8Array, Uint16Array?]>} read @param {"uint8" | "float32"} type
 * @param {((run: Run) => Promise<void>) | null} check @returns {Promise<{run: Run, from: Promise<Runtime>}>}
 */
async function opened(read, type, check) {
  const from = runtime;
  const [[network, weights], { backend, ort }] = await Promise.all([read(), from]);
  const options = {
    executionProviders: [check ? backend : "wasm"],
    externalData: weights ? [{ path: WEIGHTS, data: new Uint8Array(weights.buffer) }] : [],
  };
  try {
    return await inTurn(async () => {
      const session = await ort.InferenceSession.create(network, { ...options, logSeverityLevel: 3 });
      const [input] = session.inputNames;
      /** @type {Run} */
      const run = (data, shape) => session.run({ [input]: new ort.Tensor(/** @type {any} */ (type), data, shape) });
      if (check && backend === "webgpu") await check(run);
      return { run, from };
    });
  } catch (error) {
    if (backend === "wasm") throw error;
    leave(from, error);
    return opened(read, type, check);
  }
}

/** The stages of a model, each of which is loaded when it is wanted first.
 * @param {string} folder @param {Description[]} descriptions */
export function stagesIn(folder, descriptions) {
  /** @type {(() => Promise<Uint16Array>) | undefined} */
  let last;
  return descriptions.map((description) => {
    const path = `${folder}/stage${description.stage}`;
    const before = last;
    /** @type {Promise<Uint16Array> | undefined} */
    let found;
    const weights = () => (found ??= weightsIn(`${path}.${WEIGHTS}.gz`, before));
    last = weights;
    return stageOf(() => Promise.all([unpacked(`${path}.onnx.gz`), weights()]), description);
  });
}

/** @param {() => Promise<[Uint8Array, Uint16Array]>} read @param {Description} description @returns {Stage} */
function stageOf(read, description) {
  const size = description.input.shape[1];
  const joints = description.joints.length;
  const { load, run } = networkOf(read, "uint8", async (run) => {
    const probe = Uint8Array.from({ length: size * size * 3 }, (_, at) => at % PROBE_VALUES);
    const said = numbers((await run(probe, [1, size, size, 3])).joints);
    const off = Math.max(...description.probed.flat().map((value, index) => Math.abs(value - said[index])));
    if (!(off < NEAR)) throw new Error(`a joint is ${off} of a crop's side off`);
  });
  return {
    description,
    load,
    async run(crops, count) {
      const found = await run(crops, [count, size, size, 3]);
      return Array.from({ length: count }, (_, index) => ({
        joints: points(numbers(found.joints), index * joints, joints),
        variances: points(numbers(found.variances), index * joints, joints),
        maps: maps(numbers(found.maps), index, count, joints),
      }));
    },
  };
}

/** @param {Tensor} tensor */
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

/** CenterFace, as faces.js calls it; by WASM, which is at it once a photo. @param {string} path */
export async function openFaces(path) {
  const read = async () => {
    const packed = await unpacked(path);
    const network = new Uint8Array(packed.length);
    for (let plane = 0, at = 0; plane < SINGLE; plane++) {
      for (let to = plane; to < network.length; to += SINGLE) network[to] = packed[at++];
    }
    return /** @type {[Uint8Array]} */ ([network]);
  };
  const { load, run } = networkOf(read, "float32", null);
  await load();
  return async (/** @type {Float32Array} */ input, /** @type {number} */ width, /** @type {number} */ height) => {
    const found = await run(input, [1, 3, height, width]);
    return { heat: numbers(found["537"]), scale: numbers(found["538"]), offset: numbers(found["539"]) };
  };
}
