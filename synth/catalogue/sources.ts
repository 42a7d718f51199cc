/** Where the catalogue's entries come from: repository path @ commit, or page. */
export const sources = {
  day0Page:
    "docs.sglang.io cookbook, Xiaomi MiMo-V2.5 (launch edition: images by variant and GPU generation)",
  v25Generator:
    "sgl-project/sglang docs_new/src/snippets/autoregressive/mimo-v25-deployment.jsx @ 05d702b466c237b2fdd1c0cd6ee2b88c6e290b49",
  v25GeneratorMay:
    "sgl-project/sglang docs_new/src/snippets/autoregressive/mimo-v25-deployment.jsx @ d3d9cf71454ea6e67452dcc29e8e5acea10a8050",
  flashGenerator:
    "sgl-project/sglang docs_new/src/snippets/autoregressive/mimo-v2-flash-deployment.jsx @ 66c6d93935004d37bfbb46b44529afec8198b3af",
  flashModelCard: "huggingface.co/XiaomiMiMo/MiMo-V2-Flash README, SGLang launch command",
  proModelCard: "huggingface.co/XiaomiMiMo/MiMo-V2.5-Pro README, SGLang launch command",
  flashBlog: "lmsys.org blog, SGLang Day-0 Support for MiMo-V2-Flash Model, 2025-12-15",
  releaseImages:
    "sgl-project/sglang docs/docs/get-started/install.mdx @ 2a0e55e and release image workflow @ 16739a6",
  modelOverrides: "sglang 0.5.23 srt/arg_groups/model_overrides/mimo_v2.py",
  checkpoint: (repository: string) => `huggingface.co/${repository}: config.json and safetensors index`,
} as const;
