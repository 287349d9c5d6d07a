/// Sound in memory.
public struct AudioClip: Sendable, Equatable {
    /// Interleaved samples, nominally −1…1: frame 0 of each channel, frame 1 of each channel, and so on.
    public var samples: [Float]
    /// Frames per second.
    public var sampleRate: Int
    public var channels: Int

    public init(samples: [Float], sampleRate: Int, channels: Int = 1) {
        self.samples = samples
        self.sampleRate = sampleRate
        self.channels = channels
    }

    /// Number of frames: samples per channel.
    public var frames: Int { samples.count / max(1, channels) }

    /// Length in seconds.
    public var duration: Double { sampleRate > 0 ? Double(frames) / Double(sampleRate) : 0 }

    /// The mean of all channels.
    public var mono: AudioClip {
        guard channels > 1 else { return self }
        let scale = 1 / Float(channels)
        let mixed = (0..<frames).map { frame in
            samples[frame * channels..<(frame + 1) * channels].reduce(0, +) * scale
        }
        return AudioClip(samples: mixed, sampleRate: sampleRate)
    }

    /// The clip at another rate, in Hz.
    public func resampled(to rate: Int) throws -> AudioClip {
        guard rate != sampleRate else { return self }
        let resampler = try Resampler(from: sampleRate, to: rate, channels: channels)
        var converted = try resampler.push(samples)
        converted += try resampler.finish()
        return AudioClip(samples: converted, sampleRate: rate, channels: channels)
    }
}
