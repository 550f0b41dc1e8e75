import Hummingbird
import NIOPosix
import ServiceLifecycle
import Yams
