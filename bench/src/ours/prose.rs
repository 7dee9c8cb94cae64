//! Text as people write it, as far as a compressor can tell: words, drawn.

use crate::numbers::mixed;
use std::sync::LazyLock;

/// So many letters of it, others for each number.
pub fn prose(number: u64, letters: usize) -> String {
    let mut text = String::with_capacity(letters + 16);
    let mut drawn = number;
    while text.len() < letters {
        drawn = mixed(drawn);
        text.push_str(LIST[drawn as usize % LIST.len()]);
        text.push(' ');
    }
    text.truncate(letters);
    text
}

static LIST: LazyLock<Vec<&str>> = LazyLock::new(|| WORDS.split(' ').collect());

const WORDS: &str = "\
    able about above accept across address after again against ahead airport alarm almost alone along already also \
    always amber among another answer apart apple april around arrive aside asked attic august autumn away back \
    bakery balcony basket because bedroom before begin behind bell below beside better between beyond bicycle big \
    birthday black blanket blue book both bottle bottom box bread break bridge bring broken brother brown building \
    bus buy cable cake call careful carpet carry castle cellar chair change cheap church city clean clock close \
    cloth coat coffee cold colour come copper corner cost could country courier cousin cover cream cup customs \
    damage dark daughter day dear december deep deliver desk door double down drawer driver dry during early east \
    easy eight either elevator else empty end engine enough entrance evening every exchange expect express extra \
    family far farm fast father february few fifth fill find first five floor flower follow forest form found four \
    fragile fresh friday friend from front fruit full garage garden gate gift give glass gloves good grandson great \
    green grey ground group guest half hall hand handle harbour hard have heavy height help here hidden high hill \
    holiday home honey horse hotel hour house hundred ice inside instead island january jar journey july june just \
    keep key kitchen ladder lake lamp lane large last late leather leave left lemon letter lift light linen list \
    little long look lost lower lunch machine market may meadow mirror monday month moon morning mother mountain \
    music narrow near need neighbour never new next night nine noon north note nothing november number october \
    office often oil old olive once only open orange order other outside over packet paint paper parcel park \
    parking past path pay pencil phone piano picture piece place plain plant plate platform please porch post \
    present pretty price quarter quick quiet quite rain ready receipt red refund repair replace return ribbon ring \
    river road roof room rope round safe salt same saturday school seat second send september seven shelf shop \
    short side signature silver sister small snow soft some soon south square stairs station stone store storm \
    street string strong sugar summer sunday table take tall tea tell ten thank their third thursday ticket time \
    today together tomorrow top tower town train tree tuesday twelve twice under until upper valley van very \
    village visit voucher wait wall warm watch water wednesday week west white whole window winter with without \
    wood worker yard year yellow yesterday young zone";
