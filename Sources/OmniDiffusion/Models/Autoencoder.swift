import OmniTensor

/// A variational autoencoder as pipelines see it: between pictures `[width, height, 3]` in −1…1 and latents.
protocol Autoencoder: Sendable {
    /// Pixels for each latent, along one axis.
    var scale: Int { get }
    /// Channels of latents; moments have twice as many.
    var latentChannels: Int { get }
    /// Pixels of a tile's side, where memory is short.
    var tileSide: Int { get }
    /// What stands between latents of the autoencoder and those of the denoiser.
    var normalization: LatentNormalization { get }

    /// Mean and logarithm of the variance, `[width/scale, height/scale, 2 · latentChannels]`.
    func encode(_ executor: Executor, _ scope: ComputeScope, _ picture: Plane) throws -> Plane
    /// The picture `[width·scale, height·scale, 3]` of latents as the autoencoder has them, in about −1…1.
    func decode(_ executor: Executor, _ scope: ComputeScope, _ latents: Plane) throws -> Plane
    /// As `encode`, tile by tile.
    func encodeTiled(_ executor: Executor, _ scope: ComputeScope, _ picture: Plane) throws -> Plane
    /// As `decode`, tile by tile. `done` is called after each with tiles done and tiles in all.
    func decodeTiled(_ executor: Executor, _ scope: ComputeScope, _ latents: Plane, done: (Int, Int) throws -> Void) throws -> Plane
    /// What encoding a picture of that many pixels takes.
    func encodeMemory(_ executor: Executor, width: Int, height: Int) throws -> GraphPrice
    /// What decoding that many latents takes.
    func decodeMemory(_ executor: Executor, width: Int, height: Int) throws -> GraphPrice
}
