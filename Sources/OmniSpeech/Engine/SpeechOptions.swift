import Foundation
import OmniEngine

/// How a voice is loaded and used.
public struct SpeechOptions: Sendable {
    /// Seconds of silence behind a unit, before speed.
    public struct Pauses: Sendable {
        public var clause: Double
        public var sentence: Double
        public var paragraph: Double

        public init(clause: Double = 0.08, sentence: Double = 0.2, paragraph: Double = 0.4) {
            self.clause = clause
            self.sentence = sentence
            self.paragraph = paragraph
        }
    }

    /// Threads that a synthesis computes with; nil takes all there are (``Processors``), at most 4.
    public var threads: Int?
    var threadCount: Int { threads ?? min(4, Processors.current.threads) }
    /// Noise of the sound (VITS, Matcha); nil takes the model's own. With both noises 0, equal requests sound equal.
    public var noiseScale: Float?
    /// Noise of the durations (VITS).
    public var noiseScaleW: Float?
    /// The name of a voice without speakers; nil takes the folder's.
    public var voiceName: String?
    public var pauses: Pauses
    /// Requests in work and waiting; more are refused with 503.
    public var mostRequests: Int
    /// Unicode scalars of a request's text.
    public var longestText: Int
    /// Unicode scalars of a unit.
    public var longestUnit: Int
    /// Seconds of sound that are made ahead of a reader.
    public var lead: Double
    /// A folder for completed copies of model files, which are deleted again after loading; nil takes the system's temporary one.
    public var scratchFolder: String?

    public init(
        threads: Int? = nil, noiseScale: Float? = nil, noiseScaleW: Float? = nil, voiceName: String? = nil, pauses: Pauses = Pauses(),
        mostRequests: Int = 64, longestText: Int = 200_000, longestUnit: Int = 300, lead: Double = 20, scratchFolder: String? = nil
    ) {
        self.threads = threads
        self.noiseScale = noiseScale
        self.noiseScaleW = noiseScaleW
        self.voiceName = voiceName
        self.pauses = pauses
        self.mostRequests = mostRequests
        self.longestText = longestText
        self.longestUnit = longestUnit
        self.lead = lead
        self.scratchFolder = scratchFolder
    }
}
