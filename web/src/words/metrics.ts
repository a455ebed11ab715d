/**
 * Chinese of what boards say of their scores and cases; the keys are the server's English.
 *
 * `tests/studio/test_words.py` fails where a stored board says something that is missing here.
 */
export const metrics: Record<string, string> = {
  "Pearson correlation of a gene across the observations of one section, mean over genes.":
    "同一切片各观测点间单个基因的 Pearson 相关，对基因取均值。",
  "Pearson correlation of an observation across genes; high for any predictor that knows the genes' means.":
    "单个观测点各基因间的 Pearson 相关；只要知道基因均值，得分就会很高。",
  "Mean squared error of a gene, mean over genes.": "单个基因的均方误差，对基因取均值。",
  "Mean absolute error of a gene, mean over genes.": "单个基因的平均绝对误差，对基因取均值。",
  "Share of a gene's squared error saved over predicting its training mean, mean over genes.":
    "相对于预测训练均值，单个基因平方误差减少的比例，对基因取均值。",
  "Variance of a gene's prediction over that of its truth, counting noise included, mean over genes.":
    "单个基因预测值方差与真实值（含计数噪声）方差之比，对基因取均值。",
  "pcc_gene after log depth and its square were regressed out of truth and prediction.":
    "从真实值与预测值中回归去除对数测序深度及其平方后的 pcc_gene。",
  "pcc_gene over its noise ceiling sqrt(R), mean over genes with reliability R > 0.1.":
    "pcc_gene 除以其噪声上限 sqrt(R)，对信度 R > 0.1 的基因取均值。",
  "Rank correlation of a gene across the observations of one section, mean over genes.":
    "同一切片各观测点间单个基因的秩相关，对基因取均值。",
  "Pearson correlation over genes of the Moran's I of truth and prediction; one number per section.":
    "真实值与预测值的 Moran's I 在基因间的 Pearson 相关；每张切片一个数值。",
  "Absolute difference of a gene's Moran's I between truth and prediction, mean over genes.":
    "单个基因真实值与预测值的 Moran's I 之差的绝对值，对基因取均值。",
  "Pearson correlation of a gene across all test sections thrown together; rewards section offsets.":
    "将全部测试切片合并后单个基因的 Pearson 相关；会奖励切片间的整体偏移。",
  // Cell composition
  "Root mean square error of proportions over all observations and types.":
    "全部观测点与细胞类型的比例的均方根误差。",
  "Pearson correlation of a type's proportions across observations, mean over types.":
    "各观测点间单个细胞类型比例的 Pearson 相关，对类型取均值。",
  "Pearson correlation of an observation's proportions across types, mean over observations.":
    "单个观测点各类型比例的 Pearson 相关，对观测点取均值。",
  "Jensen-Shannon divergence of an observation's proportions, bits (0 alike, 1 disjoint), mean over them.":
    "单个观测点比例的 Jensen-Shannon 散度，单位比特（0 相同，1 不相交），对观测点取均值。",
  "Share of true proportions inside the method's 90 % intervals.": "真实比例落入该方法 90 % 区间的比例。",
  "The same among types that are in the observation.": "同上，仅限观测点中存在的类型。",
  "Mean width of these intervals; 1 would hold anything.": "上述区间的平均宽度；1 则可包含任何值。",
  "RMSE at the end over the least RMSE on the way, in the stages of the reported model; 1: stopped at the best.":
    "结束时的 RMSE 与途中最小 RMSE 之比，仅计所报告模型的各阶段；1 表示停在最佳处。",
  "The same over all steps, those of composition alone among them.": "同上，计全部步骤，包括仅拟合组成的步骤。",
  "Correlation of the fitted with the planted difference between layers, over genes.":
    "拟合的层间差异与预设差异在基因间的相关。",
  "CPU seconds to fit.": "拟合所用 CPU 秒数。",
  // Whole slides
  "Pearson correlation of a gene across slides, mean over genes.": "各切片间单个基因的 Pearson 相关，对基因取均值。",
  "Share of the genes whose correlation across slides is 0.4 or more; times the genes, their number.":
    "切片间相关达到 0.4 的基因所占比例；乘以基因数即其数目。",
  "Pearson correlation of a slide across genes, mean over slides; high for who only knows the genes' means.":
    "单张切片各基因间的 Pearson 相关，对切片取均值；只知道基因均值也会很高。",
  "How well what a tile adds to the profile (weight x root mean square over the region's genes) finds the planted region: area under the ROC curve, mean over test slides; 0.5 knows nothing.":
    "图块对表达谱的贡献（权重 × 该区域基因的均方根）能否找到预设区域：ROC 曲线下面积，对测试切片取均值；0.5 表示一无所知。",
  "Pearson correlation across tiles of a gene's predicted map (tile's prediction x weight) with the planted one, mean over the region's genes, then test slides.":
    "单个基因的预测图（图块预测 × 权重）与预设图在图块间的 Pearson 相关，先对该区域基因、再对测试切片取均值。",
  "Area under the ROC curve of a logistic probe on k labelled slides a class; 0.5 knows nothing. k = {k}, mean over 10 draws.":
    "每类 k 张有标签切片上逻辑回归探针的 ROC 曲线下面积；0.5 表示一无所知。k = {k}，10 次抽样取均值。",
  "Area under the ROC curve of the cosine to a class's mean vector less that to the others'; nothing is fitted. k = {k}, mean over 10 draws.":
    "与本类均值向量的余弦减去与其他类的余弦的 ROC 曲线下面积；不作拟合。k = {k}，10 次抽样取均值。",
  "Mean average precision of finding slides of the same class by cosine.":
    "按余弦检索同类切片的平均精度均值。",
  // Cases
  "external, cell size equal": "外部参考，细胞大小相同",
  "internal, cell size equal": "内部参考，细胞大小相同",
  "internal, cell size reference": "内部参考，细胞大小取自参考",
  "first and last section labelled": "首末两张切片有标签",
  "first section labelled": "首张切片有标签",
  "major types, donor C to donor A, all read at 3.2 um/px": "主要类型，由供者 C 到供者 A，统一按 3.2 um/px 读取",
  "minor types, one section of donor C left out": "次要类型，留出供者 C 的一张切片",
  "major types, one section of donor C left out": "主要类型，留出供者 C 的一张切片",
  mixed: "混合信号",
  regional: "区域信号",
  diffuse: "弥散信号",
  unmeasured: "无实测标签",
  "unaffected {share}": "不受影响的比例 {share}",
};
