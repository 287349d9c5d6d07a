import Foundation

/// Sinusoids that stand for a time (arXiv:1706.03762, as diffusers' `get_timestep_embedding` with cosines first): `width` values, the
/// frequencies falling from 1 to 1/10,000.
func timestepWaves(_ time: Float, width: Int) -> [Float] {
    let half = width / 2
    let angles = (0..<half).map { time * exp(-log(Float(10_000)) * Float($0) / Float(half)) }
    return angles.map { cos($0) } + angles.map { sin($0) }
}
