/**
 * What the server says in English, and the same in Chinese: `{name}` stands for a value, which is itself looked up.
 * `tests/studio/test_words.py` fails where the server says something that is missing here.
 */
export const server: Record<string, string> = {
  // Places
  boards: "榜单",
  bundles: "模型",
  checks: "检查",
  client: "客户端",
  evaluation: "评估",
  items: "打开的内容",
  jobs: "任务",
  records: "记录",
  request: "请求",
  server: "服务器",
  upload: "上传",
  bundle: "模型",
  "the slide": "切片",
  "Host header": "Host 请求头",
  "Origin header": "Origin 请求头",

  // Requests
  "the address is too long.": "地址过长。",
  "Shorten the path or the query.": "请缩短路径或查询。",
  "too many requests in a short time.": "短时间内请求过多。",
  "Wait a second.": "请稍候片刻。",
  "the length of the body is no number.": "请求体的长度不是数字。",
  "Send a valid request.": "请发送有效的请求。",
  "this server does not answer to the name {name}.": "本服务器不响应名称 {name}。",
  "Open the address that the command printed.": "请打开命令行给出的地址。",
  "the request comes from a page of another origin.": "请求来自其他来源的页面。",
  "Use the studio's own page.": "请使用工作台自己的页面。",
  "this server wants its token.": "本服务器需要令牌。",
  "Open the address with ?token=... that the command printed.": "请打开命令行给出的带 ?token=… 的地址。",
  "the body is larger than {n} bytes.": "请求体超过 {n} 字节。",
  "the body is larger than {n} bytes": "请求体超过 {n} 字节",
  "Send less.": "请减少发送的内容。",
  "See /api/openapi.json for what is asked for.": "所需内容见 /api/openapi.json。",
  "See /api/openapi.json for what there is.": "现有内容见 /api/openapi.json。",
  "the server made a mistake.": "服务器出错。",
  "Try again; if it stays so, report it with what the terminal shows.":
    "请重试；如仍出现，请附上终端显示的内容报告问题。",
  "{n} requests wait already.": "已有 {n} 个请求在等待。",
  "Try again in a few seconds.": "请几秒后重试。",
  "not found.": "没有找到。",
  "method not allowed.": "不支持该请求方法。",
  "there is nothing at this address.": "该地址没有内容。",

  // Items
  "there is no such item.": "没有这一项。",
  "Ask for one that /api/items lists.": "请使用 /api/items 列出的项。",
  "it cannot be read ({reason}).": "无法读取（{reason}）。",
  "Check the file.": "请检查该文件。",
  "Look at the file, or start the studio again.": "请检查该文件，或重新启动工作台。",
  "the file was changed or replaced while the studio had it open, so pixels and places may not fit.":
    "该文件在打开期间被修改或替换，像素与位置可能不再对应。",
  "Put the old file back, or start the studio again.": "请放回原文件，或重新启动工作台。",
  "the file cannot be found any more ({reason}).": "找不到该文件（{reason}）。",
  "Put it back where it was, or start the studio again without it.": "请把它放回原处，或不带该文件重新启动工作台。",
  "No such file or directory": "没有该文件或文件夹",
  "this item has no slide.": "该项没有切片图像。",
  "Give the section with its image.": "请连同图像一起给出切片。",
  "this item has no composition.": "该项没有细胞组成。",
  "Give what `histoscribe deconvolve` wrote.": "请给出 `histoscribe deconvolve` 的结果。",
  "there is no tile ({column}, {row}) on level {level}.": "第 {level} 层没有图块（{column}, {row}）。",
  "Ask for tiles inside the levels that the item lists.": "请只请求该项所列层级内的图块。",
  "the pyramid that was made for this image cannot be read.": "为该图像生成的金字塔无法读取。",
  "Look again: it is made anew.": "请重试：会重新生成。",
  "gene {gene} has no {layer} values here.": "基因 {gene} 在此没有{layer}值。",
  "there are no {layer} values.": "没有{layer}值。",
  "there is no category {key}.": "没有分组 {key}。",
  "Ask for one of: {names}.": "可选：{names}。",
  "Search /genes?query= for its spelling.": "请用 /genes?query= 查找其拼写。",
  measured: "实测",
  predicted: "预测",
  residual: "残差",
  uncertainty: "不确定度",

  // Selections and exports
  "the selection names observation {i}, but there are {n}.": "选区包含第 {i} 个观测点，但只有 {n} 个。",
  "Select again: the item was opened anew.": "请重新选择：该项已重新打开。",
  "{n} observations are more than the {most} that markers are computed of.":
    "{n} 个观测点超过了计算标志基因的上限 {most} 个。",
  "Give a part of the section (?where=...).": "请只给出切片的一部分（?where=…）。",
  "{n} of {all} observations are selected; a test needs {least} on either side.":
    "选中 {all} 个观测点中的 {n} 个；检验要求选区内外各至少 {least} 个。",
  "Select more, or fewer.": "请多选或少选一些。",
  "{n} observations are more than the {most} that one file may hold.": "{n} 个观测点超过了单个文件的上限 {most} 个。",
  "Select some of them, or export CSV.": "请选择其中一部分，或导出 CSV。",

  // Uploads, models and checks
  "the file's name {name} has no ending that says what it is.": "文件名 {name} 没有说明类型的扩展名。",
  "the upload is no slide.": "上传的文件不是切片图像。",
  "the upload is nothing that can be shown.": "上传的文件无法显示。",
  "Give a TIFF, SVS, JPEG, PNG or another slide in one file.": "请给出 TIFF、SVS、JPEG、PNG 或其他单文件切片图像。",
  "Sections and predictions are given on the command line: histoscribe studio PATH.":
    "切片数据与预测结果请在命令行给出：histoscribe studio PATH。",
  "there is no such bundle.": "没有这个模型。",
  "Ask for one that /api/bundles lists, or start the studio with a bundle.":
    "请使用 /api/bundles 列出的模型，或启动时给出模型。",
  "there is no such picture.": "没有这幅图。",
  "Check again.": "请重新检查。",
  "a prediction is no slide to predict on.": "预测结果不是可供预测的切片。",
  "Choose the slide or the section that it was made for.": "请选择该预测所用的切片。",
  "the slide does not state its um per px.": "切片未注明每像素的微米数。",
  "Give mpp, the um per px of its full resolution.": "请给出 mpp，即全分辨率下每像素的微米数。",
  "the species of the slide is not stated; the bundle was trained on {species}.":
    "未注明切片的物种；模型的训练数据为 {species}。",
  "Make sure that it is the same.": "请确认二者一致。",
  "section {name} is of species {here}, but the bundle was trained on {there}; its genes do not exist there.":
    "切片 {name} 的物种为 {here}，但模型的训练数据为 {there}；其基因在此不存在。",
  "Use a bundle of the same species.": "请使用相同物种的模型。",
  "the resolution {fit}.": "分辨率{fit}。",
  "matches the training slides ({here} against {there} um/px)": "与训练切片一致（{here}，训练为 {there} µm/px）",
  "read at {there} um/px instead of the slide's {here}, to match the training slides":
    "按 {there} µm/px 读取（切片为 {here}），以与训练切片一致",
  "section {name} is scanned at {here} um/px, coarser than the {there} um/px the bundle was trained at; upsampled tiles mislead its encoder.":
    "切片 {name} 的扫描分辨率为 {here} µm/px，比模型训练所用的 {there} µm/px 粗糙；放大后的图块会误导编码器。",
  "Use a finer scan, a bundle trained at this scale, or pass rescale=True (--rescale) to upsample all the same.":
    "请使用更精细的扫描、在此分辨率下训练的模型，或用 --rescale 仍然放大。",
  "{n} places on tissue, {step} um apart, would be predicted.": "将预测组织上的 {n} 个位置，间距 {step} µm。",
  "Look at the picture: do the places lie on the tissue they should lie on?": "请查看图片：各位置是否落在应在的组织上？",
  "{share} on tissue; {rest}": "{share} 位于组织上；{rest}",
  "{agreement}; every mirror image puts clearly fewer on tissue": "{agreement}；各种镜像落在组织上的都明显更少",
  "{agreement}; the outline of the tissue does not decide either": "{agreement}；组织轮廓也无法判断",
  "{agreement}; look at the overlay (--overlay)": "{agreement}；请查看叠加图",
  "local agreement with the image cannot be measured": "无法测量与图像的局部一致性",
  "{kind} confirms the place (z = {z})": "{kind}确认了位置（z = {z}）",
  "{kind} does not confirm the place (z = {z})": "{kind}未能确认位置（z = {z}）",
  "local correlation of expression and image": "表达与图像的局部相关",
  "darkness at cell centres against their surroundings": "细胞中心相对周围的深浅",
  "the section has no slide, so there is nothing to compare": "切片没有图像，无从比较",
  "the section has no observations, so there is nothing to compare": "切片没有观测点，无从比较",
  "{share} of the observations lie outside the image.": "{share} 的观测点位于图像之外。",
  "neighbours are {here} um apart at {mpp} um/px, but {there} um on this array: {cure}.":
    "在 {mpp} µm/px 下相邻点间距为 {here} µm，但该阵列应为 {there} µm：{cure}。",
  "um/px should be {mpp}": "µm/px 应为 {mpp}",
  "um/px or the coordinates' scale is wrong": "µm/px 或坐标的比例有误",
  "{share} of the observations lie on tissue as recorded, {better} after this change, which fits the image better: {change}.":
    "按记录有 {share} 的观测点位于组织上，作如下改动后为 {better}，与图像更吻合：{change}。",
  "only {share} of the observations lie on tissue, and no swap, flip, scale or shift that was tried fits.":
    "只有 {share} 的观测点位于组织上，尝试过的交换、翻转、缩放或平移都不吻合。",
  "Check that image and coordinates belong together.": "请检查图像与坐标是否对应。",
  "the bundle was fitted on {encoder} [{fitted}], but this installation's {same} is [{here}]; its features differ.":
    "模型训练时的编码器为 {encoder} [{fitted}]，而本机的 {same} 为 [{here}]；特征不同。",
  "Install the version that fitted it (histoscribe {version}) or fit again.":
    "请安装训练时的版本（histoscribe {version}），或重新训练。",

  // Notes on items
  "um/px unknown: give ?mpp=<um per px> for a scale bar and for predictions":
    "µm/px 未知：给出 ?mpp=<每像素微米数> 后才有比例尺并可预测",
  "its slide {name} was not given, so it is not read; start with it: {command}":
    "未给出其切片 {name}，因此没有读取；请一并给出：{command}",
  "the prediction names no slide; give one: {command}": "该预测未注明切片；请给出：{command}",
  "SYNTHETIC: the model was trained on generated sections": "合成数据：模型用生成的切片训练",
  "calibrated over {unit}s: flags and intervals do not speak for a new donor":
    "按{unit}校准：可信标记与区间不能说明新供者上的表现",
  "{share} % of the tiles are unlike the training tiles (5 % is ordinary)": "{share}% 的图块与训练图块不相似（5% 属正常）",
  "{method} on no encoder": "{method}，不用编码器",
  "the model was not calibrated: nothing was held out": "模型未经校准：没有留出数据",
  "held-out depth-partial correlation {mean}, lower bound {low} ({n})": "留出数据的偏相关（控制测序深度）{mean}，下界 {low}（{n}）",
  "{evidence}; this does not speak for a new donor": "{evidence}；不能说明新供者上的表现",

  "section {name} has no counts to compare with.": "切片 {name} 没有可比较的计数。",
  "the unit {unit} divides by the whole panel, of which section {name} lacks {n} genes.":
    "单位 {unit} 需除以整个基因集，而切片 {name} 缺少其中 {n} 个基因。",
  "no H&E image; positions are in {frame}": "没有 H&E 图像；位置以 {frame} 为准",
  "the image is taken to be in {frame}": "假定图像位于 {frame} 中",

  "{n} of {all} measured observations of {section} lie in a place predicted in {prediction} (by {how}; median distance {distance} um)":
    "{section} 的 {all} 个实测观测点中有 {n} 个位于 {prediction} 的预测位置（按{how}匹配；距离中位数 {distance} µm）",
  name: "名称",
  position: "位置",

  // Jobs
  "there is no such job.": "没有这个任务。",
  "Ask for one that /api/jobs lists.": "请使用 /api/jobs 列出的任务。",
  "{n} jobs wait already.": "已有 {n} 个任务在等待。",
  "Cancel some, or wait.": "请取消一些，或等待。",
  "{prediction} and {section} are a {kind} and a {other}.": "{prediction} 与 {section} 分别是{kind}和{other}。",
  "Choose a prediction and the measured section of its slide.": "请选择一个预测结果和同一切片的实测数据。",
  "nothing of this paper is implemented here.": "此处没有实现该论文的方法。",
  "Choose a paper that is marked as implemented.": "请选择标为已实现的论文。",
  "the job's process was ended from outside {how}; nothing of its result was kept.":
    "任务进程被外部终止（{how}）；未保留任何结果。",
  "by signal {n} ({name})": "信号 {n}（{name}）",
  "Start it again; a lack of memory is the usual cause.": "请重新开始；常见原因是内存不足。",
  "the job could not be run ({reason}).": "任务无法运行（{reason}）。",
  "Try again.": "请重试。",
  "there is not enough memory for it.": "内存不足。",
  "Close other programs, or give a smaller slide.": "请关闭其他程序，或使用较小的切片。",
  "Run the same command in a terminal to see more.": "请在终端运行同样的命令以查看详情。",
  starting: "正在启动",
  cancelled: "已取消",
  "cancelled before it began": "开始前已取消",
  "encode {name}": "编码 {name}",
  "{n} places x {genes} genes": "{n} 个位置 × {genes} 个基因",
  "{method} with {encoder} on SYNTHETIC sections": "{method}，编码器 {encoder}，用于合成切片",
  "{method} with {encoder} on measured sections": "{method}，编码器 {encoder}，用于实测切片",
  "SYNTHETIC DATA: {rest}": "合成数据：{rest}",
  "{method} on {n} section(s) of {donors} donor(s): {names}; {relation}":
    "{method}，{donors} 名供者的 {n} 张切片：{names}；{relation}",
  "another part of the same section in training: not a new-donor result": "训练用了同一切片的另一部分：不是新供者上的结果",
  "same donor in training: not a new-donor result": "训练用了同一供者：不是新供者上的结果",
  "training donors unknown: cannot be called a new-donor result": "训练供者未知：不能称为新供者上的结果",
  "no test donor in training": "训练未用到测试供者",

  // Generated sections
  "generated sections": "生成的切片",
  "they could not be made ({reason}).": "无法生成（{reason}）。",
  "Make room in the cache's folder, or set HISTOSCRIBE_CACHE to another, and start the studio again.":
    "请为缓存文件夹腾出空间，或将 HISTOSCRIBE_CACHE 设为其他位置，然后重新启动工作台。",

  // Boards, papers and data sets
  "there is no board {name}.": "没有榜单 {name}。",
  "there is no such record.": "没有这条记录。",
  "Ask for one that a board names.": "请使用榜单列出的记录。",
  "the catalogue has nothing called {name}.": "目录中没有 {name}。",
  "Search for it at /papers or /datasets.": "请在 /papers 或 /datasets 搜索。",
  "± is half the 95 % Student interval over {unit}; n: {counts}.": "± 为{unit}间 95 % Student 区间的一半；n：{counts}。",
  "the seeds {seeds}": "随机种子 {seeds} ",
  "Some records were run from changed, uncommitted code.": "部分运行来自已改动而未提交的代码。",
  "{n} donor": "{n} 名供者",
  "{n} donors": "{n} 名供者",
  "{n} sections": "{n} 张切片",
  "{n} observations": "{n} 个观测点",
  "{n} genes": "{n} 个基因",
  "{n} folds": "{n} 折",
  "{n} section": "{n} 张切片",
  "not stated": "未注明",
  donor: "供者",
  donors: "供者",
  section: "切片",
  sections: "切片",
  prediction: "预测结果",
  slide: "切片图像",
  seeds: "随机种子",
  "s a run": "每次运行秒数",
  device: "设备",
  human: "人",
  mouse: "小鼠",
};
