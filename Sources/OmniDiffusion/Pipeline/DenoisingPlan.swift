import OmniEngine
import OmniTensor

/// A request with every choice made and checked against the model: all that the shared loop needs. What else a family knows of the
/// request (tokens, references, experts) is held by its closures.
///
/// A sample is one picture or one video; its latents are one array, laid out as the family likes.
struct DenoisingPlan: Sendable {
    /// Of one sample's latents, as the autoencoder has them.
    let shape: LatentShape
    /// The longer side of a sample, pixels.
    let longestSide: Int
    /// Samples that are denoised together.
    let count: Int
    let schedule: any NoiseSchedule
    /// First step: later than 0 where an input is to be kept in part.
    var start = 0
    /// The guidance of a step.
    let guidance: @Sendable (_ index: Int) -> Guidance
    /// As ``StepCache`` takes it.
    var cacheThreshold: Float = 0
    /// Predictions that are computed together: of several samples, for the prompt and the negative prompt.
    var batch = 1
    /// Previews that are wanted on the way.
    var previews = 0
    var adapters: [ImageAdapter] = []
    /// Whether the autoencoder decodes in tiles.
    var tilesDecode = false
    /// Bytes of working memory that the request takes.
    var memory = 0
    /// Finished latents of each sample, where an earlier run left them: they are only decoded.
    var finished: [[Float]]?
    /// Encodes prompts and input pictures. Called once, on the thread that computes.
    let prepare: @Sendable (PipelineRun) throws -> Denoiser
    /// A small picture of latents that are on the way, where the family has one.
    var preview: (@Sendable (PipelineRun, [Float]) throws -> FloatImage)?
}

/// A plan whose inputs are encoded.
struct Denoiser {
    /// Of each sample, at the noise level before the first step.
    let latents: [[Float]]
    let predict: DenoisingLoop.Predict
    /// As ``DenoisingLoop/run(_:cancellation:predict:blend:watch:)`` takes it.
    var blend: (_ latents: [Float], _ sample: Int, _ index: Int) -> [Float] = { latents, _, _ in latents }
    /// What is done to a sample's latents after the last step.
    var finish: (_ latents: [Float]) -> [Float] = { $0 }
}

/// The size of one sample's latents; pictures have one frame.
struct LatentShape: Sendable, Equatable {
    var channels: Int
    var frames = 1
    var height: Int
    var width: Int

    /// `[channels, frames, height, width]`.
    var dimensions: [Int] { [channels, frames, height, width] }
    var count: Int { channels * frames * height * width }
}
