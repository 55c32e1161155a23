window.stageTimes = {
  "annotate-normalize@demo-flic": 4.3,
  "annotate-normalize@demo-lsp": 7.8,
  "detect-faces@demo-flic": 205.3,
  "download@demo": 0.5,
  "evaluate@demo-flic": 4.6,
  "evaluate@demo-lsp": 5.2,
  "initial-boxes@demo-flic": 1.4,
  "plot-photos@demo-flic": 13.7,
  "plot-photos@demo-lsp": 13.7,
  "plot@demo-flic": 9.8,
  "plot@demo-lsp": 35.1,
  "predict-test@demo-flic": 40.3,
  "report@demo": 8.6
};
