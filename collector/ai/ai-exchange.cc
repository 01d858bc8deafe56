#include "collector/ai/ai-exchange.h"

#include "base/bug.h"

namespace oisp {

std::string_view detection_word(AiDetection detection) {
  switch (detection) {
    case AiDetection::known_endpoint:
      return "known_endpoint";
    case AiDetection::payload_inspection:
      return "payload_inspection";
  }
  OISP_BUG_IF(true);
}

}  // namespace oisp
