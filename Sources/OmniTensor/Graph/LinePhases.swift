/// A transposed convolution along a line as a plain one with a set of outputs for each phase.
///
/// Output `stride · q + r` sums `x[q − m] · kernel[stride · m + r + cut]` over every `m` for which the kernel has such a tap. All phases get the
/// same taps, zeros where theirs has none.
struct LinePhases: Equatable {
    let taps, stride: Int
    /// Positions that are cut off each end of the whole result.
    let cut: Int
    private let first, last: Int

    init(taps: Int, stride: Int) throws {
        guard stride > 0, taps >= stride, (taps - stride) % 2 == 0 else {
            throw TensorError.shape(operation: "convTransposed1d", reason: "\(taps) taps at \(stride) times the rate")
        }
        (self.taps, self.stride, cut) = (taps, stride, (taps - stride) / 2)
        // The most that any phase reaches back and ahead.
        (first, last) = (-((stride - 1 + cut) / stride), (taps - 1 - cut) / stride)
    }

    /// Of the plain convolution.
    var window: LineWindow { LineWindow(taps: last - first + 1, before: last, after: -first) }

    /// The published tap that is tap `place` of phase `phase`; nil for a zero.
    func source(_ place: Int, phase: Int) -> Int? {
        let tap = stride * (last - place) + phase + cut
        return (0..<taps).contains(tap) ? tap : nil
    }

    /// Lays a kernel `[in][out][taps]` of elements of `width` bytes out as `[stride][out][in][window.taps]`, filled up with zeros.
    func arrange(_ kernel: UnsafeRawPointer, inputs: Int, outputs: Int, width: Int, into target: UnsafeMutableRawPointer) {
        let wide = window.taps
        target.initializeMemory(as: UInt8.self, repeating: 0, count: stride * outputs * inputs * wide * width)
        for phase in 0..<stride {
            for place in 0..<wide {
                guard let tap = source(place, phase: phase) else { continue }
                for output in 0..<outputs {
                    for input in 0..<inputs {
                        let to = (((phase * outputs + output) * inputs + input) * wide + place) * width
                        target.advanced(by: to).copyMemory(
                            from: kernel + ((input * outputs + output) * taps + tap) * width, byteCount: width)
                    }
                }
            }
        }
    }
}
