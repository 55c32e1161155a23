// What ONNX Runtime Web's files beside the page offer.
declare module "*/ort.wasm.min.mjs" {
  export * from "onnxruntime-web";
}
