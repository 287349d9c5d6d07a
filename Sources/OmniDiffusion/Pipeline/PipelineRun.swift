import OmniEngine
import OmniTensor

/// One request at work, on the thread that computes: what its graphs run on, and who hears of it.
struct PipelineRun {
    let executor: Executor
    let scope: ComputeScope
    let emit: (PipelineEvent) throws -> Void

    func evaluate(_ build: (Graph) throws -> Tensor) throws -> [Float] { try executor.evaluate(scope) { [try build($0)] }[0] }

    func progress(_ stage: GenerationStage, _ step: Int, of steps: Int) throws { try emit(.progress(stage, step: step, steps: steps)) }

    /// What the denoiser needs of each prompt, once for all steps.
    ///
    /// - Parameters:
    ///   - prompts: tokens; the prompt's first, then the negative prompt's where guidance wants it.
    ///   - encode: a prompt's states of any shape.
    func encodePrompts(_ prompts: [[Int]], _ encode: (Graph, [Int]) throws -> Tensor) throws -> [Condition] {
        try prompts.enumerated().map { index, tokens in
            var shape: [Int] = []
            let values = try evaluate { graph in
                let states = try encode(graph, tokens)
                shape = states.shape
                return states
            }
            guard values.allSatisfy(\.isFinite) else {
                throw ImageModelError.notFinite(stage: "text encoding", cause: "the text encoder's states")
            }
            try progress(.encodePrompt, index + 1, of: prompts.count)
            return Condition(values: values, tokens: tokens.count, shape: shape)
        }
    }
}

/// What a pipeline tells while it works.
enum PipelineEvent {
    /// `step` of `steps` of a stage are done.
    case progress(GenerationStage, step: Int, steps: Int)
    /// Roughly what a sample will be; small.
    case preview(sample: Int, number: Int, FloatImage)
    /// Denoising is over: the latents of each sample. Not told for latents that the request brought.
    case latents([[Float]])
    /// Frame `index` of `count` of a sample, in order; a picture has one.
    case frame(sample: Int, index: Int, count: Int, FloatImage)
}

/// A prompt as a denoiser takes it.
struct Condition: Sendable {
    /// Empty where they are only measured.
    var values: [Float]
    /// Tokens of the prompt.
    var tokens: Int
    /// The shape of `values`.
    var shape: [Int]
}
