window.stageTimes = {
  "annotate-normalize@cpu-flic": 12.4,
  "annotate-normalize@cpu-lsp": 30.0,
  "detect-faces@cpu-flic": 493.3,
  "detect-faces@cpu-lsp": 0.0,
  "download@cpu": 0.6,
  "evaluate@cpu-flic": 2.2,
  "evaluate@cpu-lsp": 1.8,
  "initial-boxes@cpu-flic": 0.8,
  "initial-boxes@cpu-lsp": 0.6,
  "plot@cpu-flic": 31.2,
  "plot@cpu-lsp": 28.5,
  "predict-test@cpu-flic": 111.1,
  "predict-test@cpu-lsp": 178.7
};
