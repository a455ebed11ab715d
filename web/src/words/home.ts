import type { Words } from "./words";

export const home = {
  "home.title": { en: "Slides", zh: "切片" },
  "home.lead": {
    en: "What this studio was given. Nothing else on the machine is read, and nothing leaves it.",
    zh: "本工作台打开的内容。不会读取本机其他文件，也不会向外发送任何数据。",
  },
  "home.demo": {
    en: "This is the demonstration: a generated section, not a real patient.",
    zh: "这是演示数据：由程序生成的切片，并非真实患者。",
  },
  "home.making": {
    en: "Making SYNTHETIC tissue, its counts and a prediction: once, some seconds",
    zh: "正在生成合成组织、其计数和预测：仅此一次，需数秒",
  },
  "home.opened": { en: "Opened", zh: "已打开" },
  "home.count": { en: "{n} items", one: "{n} item", zh: "{n} 项" },
  "home.filter": { en: "Filter by name or donor", zh: "按名称或供者筛选" },
  "home.kind.slide": { en: "Slide", zh: "切片图像" },
  "home.kind.section": { en: "Measured section", zh: "实测切片" },
  "home.kind.prediction": { en: "Prediction", zh: "预测结果" },
  "home.observations": { en: "{n} observations", one: "{n} observation", zh: "{n} 个观测点" },
  "home.genes": { en: "{n} genes", one: "{n} gene", zh: "{n} 个基因" },
  "home.donor": { en: "donor {name}", zh: "供者 {name}" },
  "home.no_scale": { en: "scale not recorded", zh: "未记录分辨率" },
  "home.compare": { en: "{n} more on the same slide", zh: "同一切片另有 {n} 项" },
  "home.stack": { en: "part of a 3D stack", zh: "属于三维序列" },
  "home.opening": { en: "opening", zh: "正在打开" },
  "home.no_picture": { en: "no picture", zh: "无图像" },
  "home.do": { en: "What you can do", zh: "可以做什么" },
  "home.do.predict": { en: "Predict expression", zh: "预测基因表达" },
  "home.do.predict_text": {
    en: "Drop an H&E slide, choose a model, see the check first.",
    zh: "拖入 H&E 切片，选择模型，先看检查结果。",
  },
  "home.do.boards": { en: "See what methods achieve", zh: "查看方法表现" },
  "home.do.boards_text": {
    en: "Scores beside controls, with intervals and every run's record.",
    zh: "分数与对照并列，附区间和每次运行的记录。",
  },
  "home.do.papers": { en: "Find papers and code", zh: "查找论文与代码" },
  "home.do.papers_text": {
    en: "The field's papers, and how far each one's code goes.",
    zh: "本领域的论文，以及各自代码的可用程度。",
  },
  "home.jobs": { en: "Recent jobs", zh: "近期任务" },
  "home.all_jobs": { en: "All jobs", zh: "全部任务" },
  "home.empty": { en: "Nothing is open yet", zh: "尚未打开任何内容" },
  "home.empty_todo": {
    en: "Drop a slide on the page Predict, or start the studio with files:",
    zh: "在“预测”页拖入切片，或在启动时给出文件：",
  },
  "home.none_match": { en: "No item has this in its name", zh: "没有名称包含该文字的项目" },
} satisfies Words;
