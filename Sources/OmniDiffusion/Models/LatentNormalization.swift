import Foundation
import OmniTensor

/// What stands between latents as an autoencoder makes them and as a denoiser takes them.
enum LatentNormalization: Sendable, Equatable {
    /// `(latent − shift) · factor`, all channels alike.
    case scaled(by: Float, shift: Float)
    /// Each channel less its mean, over its deviation.
    case perChannel(mean: [Float], deviation: [Float])

    /// Latents as the denoiser wants them.
    ///
    /// - Parameter latents: `[channels, …]`, the channel the slowest axis.
    func normalized(_ latents: [Float]) -> [Float] {
        switch self {
        case .scaled(let factor, let shift): latents.map { ($0 - shift) * factor }
        case .perChannel(let mean, let deviation): Self.eachChannel(latents, mean, deviation) { ($0 - $1) * (1 / $2) }
        }
    }

    /// Latents as the autoencoder wants them.
    func denormalized(_ latents: [Float]) -> [Float] {
        switch self {
        case .scaled(let factor, let shift): latents.map { $0 / factor + shift }
        case .perChannel(let mean, let deviation): Self.eachChannel(latents, mean, deviation) { $0 / (1 / $2) + $1 }
        }
    }

    private static func eachChannel(
        _ latents: [Float], _ mean: [Float], _ deviation: [Float], _ change: (_ value: Float, _ mean: Float, _ deviation: Float) -> Float
    ) -> [Float] {
        let size = latents.count / mean.count
        var values = latents
        for channel in mean.indices {
            for place in channel * size..<(channel + 1) * size { values[place] = change(values[place], mean[channel], deviation[channel]) }
        }
        return values
    }
}

/// Which latents of a picture are taken from the distribution that an autoencoder gives.
enum LatentEncoding: Sendable, Equatable { case sampled, mean }

extension Plane {
    /// The mean of the normal distribution that moments `[width, height, 2 · channels]` describe.
    var mean: Plane { Plane(width: width, height: height, channels: channels / 2, values: Array(values.prefix(values.count / 2))) }

    /// A sample of the normal distribution that moments `[width, height, 2 · channels]` describe: `mean + deviation · noise`.
    ///
    /// - Parameter generator: gives one number for each latent.
    func sampled(_ generator: inout TorchGenerator) -> Plane {
        let half = values.count / 2
        let noise = generator.normal(half)
        let latents = (0..<half).map { index in
            let deviation = exp(0.5 * min(max(values[half + index], -30), 20))
            return values[index] + deviation * noise[index]
        }
        return Plane(width: width, height: height, channels: channels / 2, values: latents)
    }
}
