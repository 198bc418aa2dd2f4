//! What each character set of the server can hold, as the server itself says.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::kit::Dice;

/// A letter, and its bytes in a character set.
#[derive(Clone, Debug)]
pub struct Letter {
    pub shown: char,
    pub bytes: Vec<u8>,
}

/// A character set.
#[derive(Clone, Debug)]
pub struct Charset {
    pub name: String,
    pub collations: Vec<String>,
    /// Letters that it has.
    pub letters: Vec<Letter>,
    /// The bytes of a space.
    pub space: Vec<u8>,
}

/// One of each script and sign, and what is known to be special: characters whose bytes
/// hold quotes and backslashes, the ends of planes, signs that other tools map otherwise.
const CANDIDATES: &str = "\u{1}\t\n\r\u{1a} !\"#$%&'()*+,-./059:;<=>?@AMZ[\\]^_`amz{|}~\u{7f}\u{80}\u{a0}¡¢£¤¥¦§«¬\u{ad}¯°±·»¿\
    ÀÄÅÆÇÉÐÑÖ×ØÜÞßàäåéñö÷øüþÿĀĄČďĐęěħıŁłńňŌőŒœřŚšŞşţŤťůžŽſƒˇ˘˙˚˛˜˝\u{301}ΑΔΩάαβμπςωϋЁЂЄЉАЯабяёђєљўґאבשתء؟ابي٪กขฯ฿๑๛\
    აბჰ჻ԱԲաև՜ḁ–—―‖‘’“”†‡•…‰‹›‾⁄€№™Ω←→↑↓⇒∀∂∑−√∞∧∩∫≈≠≡≤≥⌠─│┌┼═║█░■□○●☺♀♥♪\u{3000}、。〃々〆「」〜あいんアヴン・ー㈱㊤㍉\
    一丁七丂万丈三上下不与且世丘丙业丟丧中为主久之乎九也乱了予事二互五井亜人今仏他付令以仰件任企伊会伝佐何作使價優元先光入全公六共具\
    兀凜十千半南印原参又友古史合同名和四土堯増外多大天女字學宁定家小山崎川巣年広弥彅得心必愛戸手文新方日旧明星春時曽曺木本林果栁校森槇樂橫櫻次\
    正歩母毛気水永江法活海深湯漢瀞火無熙犬王瑤生用田由男町白百的益目直真石示礼神祥福私秀空立竧竹精糸綠緖縣羽義翠老而聞能臨自至色花\
    茶菜蒋見言計訓説語諸警谷象貝赤走足車軍転近返逸道部都鄕配里重野金釗銀鋼長門開間關防院陽集難零雨電霞青靑面革韓音頁風飛食飯\
    飼館首香馬駅體高髙魚鳥麗麻黄黑黒鼎鼓龍龠가각간갂한힣ㄱ\u{e000}\u{f8ff}豈﨑\u{fb01}\u{fffd}！＂＇＼～｡ｱﾟ￠￢￤￥😀𝔸𠀀𠮷\u{10ffff}";

impl Charset {
    /// All that the server stores, `binary` aside, and without the one collation to which the server itself
    /// cannot convert all letters of its character set (the destination refuses them).
    pub async fn all(conn: &mut Conn) -> Vec<Self> {
        let sql = "SELECT character_set_name FROM information_schema.character_sets \
                   WHERE character_set_name <> 'binary' ORDER BY 1";
        let names: Vec<String> = conn.query(sql).await.unwrap();
        let mut all = Vec::new();
        for name in names {
            let sql = "SELECT collation_name FROM information_schema.collations \
                       WHERE character_set_name = ? AND collation_name <> 'latin2_czech_cs' ORDER BY 1";
            let collations = conn.exec(sql, (&name,)).await.unwrap();
            let letters = letters(conn, &name).await;
            let space = letters.iter().find(|l| l.shown == ' ').unwrap().bytes.clone();
            all.push(Self { name, collations, letters, space });
        }
        all
    }

    /// A letter that may stand in a name or a quoted list without thought. The server's catalogue has none
    /// beyond U+FFFF.
    pub fn plain_letter(&self, dice: &mut Dice) -> char {
        let letter = Some(dice.pick(&self.letters).shown).filter(|l| *l <= '\u{ffff}').unwrap_or('x');
        if letter.is_alphanumeric() || "'\"`\\;#-/*()?%".contains(letter) { letter } else { 'x' }
    }

    /// A text of at most so many letters.
    pub fn text(&self, length_max: u64, dice: &mut Dice) -> Vec<u8> {
        let length = match dice.below(6) {
            0 => 0,
            1 => length_max,
            _ => dice.below(length_max + 1),
        };
        let mut bytes = Vec::new();
        for _ in 0..length {
            bytes.extend_from_slice(match dice.below(8) {
                0 => self.space.as_slice(),
                _ => dice.pick(&self.letters).bytes.as_slice(),
            });
        }
        bytes
    }
}

/// The candidates that come back as they were.
async fn letters(conn: &mut Conn, charset: &str) -> Vec<Letter> {
    let rows: Vec<String> = CANDIDATES.chars().map(|c| format!("ROW(X'{:08X}')", u32::from(c))).collect();
    let sql = format!(
        "WITH c (u) AS (VALUES {}) SELECT HEX(u), HEX(CONVERT(CONVERT(u USING utf32) USING {charset})), \
         HEX(CONVERT(CONVERT(CONVERT(u USING utf32) USING {charset}) USING utf32)) FROM c",
        rows.join(",")
    );
    let found: Vec<(String, Option<String>, Option<String>)> = conn.query(sql).await.unwrap();
    let letter = |(asked, bytes, back): (String, Option<String>, Option<String>)| {
        let shown = char::from_u32(u32::from_str_radix(&asked, 16).unwrap()).unwrap();
        (back.as_deref() == Some(asked.as_str())).then(|| Letter { shown, bytes: unhex(&bytes.unwrap()) })
    };
    found.into_iter().filter_map(letter).collect()
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(pair).collect()
}
